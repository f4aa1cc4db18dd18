// A key's life through the SDK for Node.js of Huawei Cloud.
'use strict';

const { rootKey, rootSecret, holds, client, run, wants, create, turn, list, remove, show, lastUsed } = require('./iam.js');

async function main() {
  const root = client(rootKey, rootSecret);
  const made = (await create(root)).credential;
  holds('the key', made.access.length === 20 && made.secret.length === 40 && made.status === 'active' && made.description === 'by <Node>', made.access);
  await create(root);
  await wants('a third key', create(root), 400, 'akSkNumExceed');
  const own = client(made.access, made.secret);
  holds('the list', (await list(own)).credentials.length === 2);

  await lastUsed(root, made);

  await turn(root, made.access, 'inactive');
  await wants('a call signed by an inactive key', list(own), 400, 'IAM.1107');
  await turn(root, made.access, 'active');
  await wants('a call signed by an active key', list(own), 0);
  await wants('delete an active key', remove(root, made.access), 409, 'IAM.0005');
  await turn(root, made.access, 'inactive');
  await wants('delete an inactive key', remove(root, made.access), 0);
  await wants('show a deleted key', show(root, made.access), 404, 'IAM.0004');
  await wants('a call signed by a deleted key', list(own), 401, 'APIGW.0301');
}

run(main);
