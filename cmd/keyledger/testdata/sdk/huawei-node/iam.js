// Keys through the SDK for Node.js of Huawei Cloud, for the programs beside. It prints what is not as it should be.
'use strict';

const core = require('@huaweicloud/huaweicloud-sdk-core');
const iam = require('@huaweicloud/huaweicloud-sdk-iam/v3/public-api');

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

// run runs a program, and ends it with an error if anything was wrong.
function run(main) {
  main().catch((e) => { wrong++; console.log(e); }).finally(() => process.exit(wrong ? 1 : 0));
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

// lastUsed waits until a key that was made so has been used.
async function lastUsed(c, made) {
  for (const until = Date.now() + 20000; (await show(c, made.access)).credential.last_use_time === made.create_time;) {
    if (Date.now() > until) throw new Error('waited in vain for the last use');
  }
}

module.exports = { url, rootKey, rootSecret, holds, client, run, wants, create, turn, list, remove, show, lastUsed };
