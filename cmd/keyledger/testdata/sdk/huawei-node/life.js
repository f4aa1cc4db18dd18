// A key's life through the SDK for Node.js of Huawei Cloud, and its use at the object store
// through that of OBS. It prints what is not as it should be.
'use strict';

const core = require('@huaweicloud/huaweicloud-sdk-core');
const iam = require('@huaweicloud/huaweicloud-sdk-iam/v3/public-api');
const ObsClient = require('esdk-obs-nodejs');

const { KEYLEDGER_URL: url, KEYLEDGER_ACCESS_KEY_ID: rootKey, KEYLEDGER_SECRET_ACCESS_KEY: rootSecret } = process.env;
const [user] = process.env.KEYLEDGER_USERS.split(',');
let wrong = 0;

function holds(what, held, got) {
  if (!held) {
    wrong++;
    console.log(`${what}: got ${JSON.stringify(got)}`);
  }
}

function client(key, secret) {
  const credentials = new core.GlobalCredentials().withAk(key).withSk(secret).withDomainId('domain');
  return iam.IamClient.newBuilder().withCredential(credentials).withEndpoint(url).build();
}

// wants holds that a call is refused with a status and a code, or a text.
async function wants(what, call, status, code) {
  let said;
  try {
    said = await call;
    holds(what, status === 0, said);
    return said;
  } catch (e) {
    said = e;
  }
  const text = `${said.errorCode} ${said.errorMsg} ${said.message} ${JSON.stringify(said.data)}`;
  holds(what, said.httpStatusCode === status && text.includes(code), { status: said.httpStatusCode, text });
}

function create(c) {
  const option = new iam.CreateCredentialOption().withUserId(user).withDescription('by <Node>');
  const body = new iam.CreatePermanentAccessKeyRequestBody().withCredential(option);
  return c.createPermanentAccessKey(new iam.CreatePermanentAccessKeyRequest().withBody(body));
}

function turn(c, key, status) {
  const body = new iam.UpdatePermanentAccessKeyRequestBody().withCredential(new iam.UpdateCredentialOption().withStatus(status));
  return c.updatePermanentAccessKey(new iam.UpdatePermanentAccessKeyRequest(key).withBody(body));
}

const list = (c) => c.listPermanentAccessKeys(new iam.ListPermanentAccessKeysRequest().withUserId(user));
const remove = (c, key) => c.deletePermanentAccessKey(new iam.DeletePermanentAccessKeyRequest(key));
const show = (c, key) => c.showPermanentAccessKey(new iam.ShowPermanentAccessKeyRequest(key));

// store is what the object store says of a bucket's ACL.
async function store(key, secret, server, signature) {
  const c = new ObsClient({ access_key_id: key, secret_access_key: secret, server, signature, path_style: true, is_signature_negotiation: false, max_retry_count: 0 });
  await new Promise(setImmediate); // the client is not ready before
  const { CommonMsg: m } = await c.getBucketAcl({ Bucket: 'bucket' });
  c.close();
  return `${m.Status} ${m.Code}`;
}

async function main() {
  const root = client(rootKey, rootSecret);
  const made = (await create(root)).credential;
  holds('the key', made.access.length === 20 && made.secret.length === 40 && made.status === 'active' && made.description === 'by <Node>', made.access);
  await create(root);
  await wants('a third key', create(root), 400, 'akSkNumExceed');
  const own = client(made.access, made.secret);
  holds('the list', (await list(own)).credentials.length === 2);

  for (const signature of ['obs', 'v2', 'v4']) {
    holds(`the store, ${signature}`, (await store(made.access, made.secret, url, signature)) === '404 NoSuchBucket', signature);
    holds(`a wrong secret, ${signature}`, (await store(made.access, made.secret + 'x', url, signature)) === '403 SignatureDoesNotMatch', signature);
  }
  for (const until = Date.now() + 20000; (await show(root, made.access)).credential.last_use_time === made.create_time;) {
    if (Date.now() > until) throw new Error('waited in vain for the last use');
  }

  await turn(root, made.access, 'inactive');
  await wants('a call signed by an inactive key', list(own), 400, 'IAM.1107');
  holds('the store, an inactive key', (await store(made.access, made.secret, url, 'v2')) === '403 InvalidAccessKeyId');
  await turn(root, made.access, 'active');
  await wants('a call signed by an active key', list(own), 0);
  await wants('delete an active key', remove(root, made.access), 409, 'IAM.0005');
  await turn(root, made.access, 'inactive');
  await wants('delete an inactive key', remove(root, made.access), 0);
  await wants('show a deleted key', show(root, made.access), 404, 'IAM.0004');
  await wants('a call signed by a deleted key', list(own), 401, 'APIGW.0301');
}

main().catch((e) => { wrong++; console.log(e); }).finally(() => process.exit(wrong ? 1 : 0));
