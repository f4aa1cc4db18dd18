// A key's life in an account for OBS: managed through the SDK for Node.js of Huawei Cloud, used through that of OBS at the
// object store, which verifies it and has no bucket.
'use strict';

const dns = require('dns');

const ObsClient = require('esdk-obs-nodejs');
const { url, rootKey, rootSecret, holds, client, run, wants, create, turn, list, remove, lastUsed } = require('../huawei-node/iam.js');

// A bucket's name stands in the host: whatever host is called, it is the ledger's.
dns.lookup = (host, options, done) => (options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4));
const named = `http://obs.example.test:${new URL(url).port}`;

// The client signs as it is told for a host name, and by V2 instead of OBS for an address.
const ways = [['obs', named], ['v2', named], ['v4', named], ['obs', url], ['v2', url], ['v4', url]];

// stores holds what the object store says of a bucket's ACL and of an object, in each way that it can be asked.
async function stores(what, access, secret, want) {
  for (const [signature, server] of ways) {
    const c = new ObsClient({
      access_key_id: access, secret_access_key: secret, server, signature, path_style: server === url, is_signature_negotiation: false, max_retry_count: 0,
    });
    await new Promise(setImmediate); // the client is not ready before
    const answers = [
      await c.getBucketAcl({ Bucket: 'bucket' }),
      await c.putObject({ Bucket: 'bucket', Key: 'dir a/b+c~é中.txt', Body: 'hello', ContentType: 'text/plain', Metadata: { name: 'two  words' } }),
      await c.getObject({ Bucket: 'bucket', Key: 'dir a/b+c~é中.txt' }),
    ];
    c.close();
    for (const { CommonMsg: m } of answers) holds(`${what}, ${signature} at ${server}`, `${m.Status} ${m.Code}` === want, m);
  }
}

run(async () => {
  const root = client(rootKey, rootSecret);
  const made = (await create(root)).credential;
  const second = (await create(root)).credential;
  await wants('a third active key', create(root), 400, 'akSkNumExceed');
  holds('the list', (await list(root)).credentials.length === 2);
  await stores('a key', made.access, made.secret, '404 NoSuchBucket');
  await stores('a wrong secret', made.access, made.secret + 'x', '403 SignatureDoesNotMatch');
  await stores('an unknown key', 'KLAK0000000000000000', made.secret, '403 InvalidAccessKeyId');
  await lastUsed(root, made);

  await turn(root, made.access, 'inactive');
  await stores('an inactive key', made.access, made.secret, '403 InvalidAccessKeyId');
  await create(root); // any number may be inactive
  await wants('make the first active, as a third', turn(root, made.access, 'active'), 400, 'akSkNumExceed');
  await remove(root, second.access);
  await turn(root, made.access, 'active');
  await stores('an active key', made.access, made.secret, '404 NoSuchBucket');
  await turn(root, made.access, 'inactive');
  await remove(root, made.access);
  await stores('a deleted key', made.access, made.secret, '403 InvalidAccessKeyId');
  holds('the list at the end', (await list(root)).credentials.length === 1);
});
