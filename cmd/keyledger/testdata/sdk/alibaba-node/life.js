// A key's life by Alibaba Cloud's SDKs for Node: RAM and IMS, signed by ACS3 and by RPC, and the older pop-core. They
// get where to go, and an administrator's key, in their environment, and end with an error at the first thing that is
// not as it should be.
import assert from "node:assert/strict"
import imsSDK from "@alicloud/ims20190815"
import core from "@alicloud/openapi-core"
import PopCore from "@alicloud/pop-core"
import ramSDK from "@alicloud/ram20150501"

const { KEYLEDGER_HOST: endpoint, KEYLEDGER_URL: url, KEYLEDGER_USERS: users } = process.env
const admin = { id: process.env.KEYLEDGER_ACCESS_KEY_ID, secret: process.env.KEYLEDGER_SECRET_ACCESS_KEY }
const { default: RAM, ...ram } = ramSDK
const { default: IMS, ...ims } = imsSDK

function client(Client, key, signatureAlgorithm) {
  return new Client(new core.$OpenApiUtil.Config({ accessKeyId: key.id, accessKeySecret: key.secret, endpoint, protocol: "HTTP", signatureAlgorithm }))
}

async function refused(code, promise) {
  await assert.rejects(promise, (e) => {
    assert.equal(e.code, code, `${e.code}: ${e.message}`)
    return true
  })
}

async function life(userName, userId, algorithm) {
  const root = client(RAM, admin, algorithm)
  const rootIMS = client(IMS, admin, algorithm)
  const { accessKey: made } = (await root.createAccessKey(new ram.CreateAccessKeyRequest({ userName }))).body
  assert.equal(made.status, "Active")
  const own = { id: made.accessKeyId, secret: made.accessKeySecret }
  const self = client(RAM, own, algorithm)
  const { accessKey: other } = (await client(IMS, own, algorithm).createAccessKey(new ims.CreateAccessKeyRequest({}))).body
  await refused("LimitExceeded.User.AccessKey", root.createAccessKey(new ram.CreateAccessKeyRequest({ userName })))
  const listed = (await self.listAccessKeys(new ram.ListAccessKeysRequest({ userName: "" }))).body.accessKeys.accessKey
  assert.deepEqual(listed.map((k) => k.accessKeyId).sort(), [own.id, other.accessKeyId].sort())
  assert.equal((await rootIMS.getAccountSummary()).body.summaryMap.accessKeysPerUserQuota, 2)

  for (const until = Date.now() + 20000; ; ) {
    const used = await root.getAccessKeyLastUsed(new ram.GetAccessKeyLastUsedRequest({ userName, userAccessKeyId: own.id }))
    if (used.body.accessKeyLastUsed.lastUsedDate) break
    assert.ok(Date.now() < until, "waited in vain for the last use")
  }

  const change = (status) => root.updateAccessKey(new ram.UpdateAccessKeyRequest({ userName, userAccessKeyId: own.id, status }))
  await change("Inactive")
  await refused("InvalidAccessKeyId.Inactive", self.listAccessKeys(new ram.ListAccessKeysRequest({})))
  await change("Active")
  await self.listAccessKeys(new ram.ListAccessKeysRequest({}))
  await change("Inactive")
  await root.deleteAccessKey(new ram.DeleteAccessKeyRequest({ userName, userAccessKeyId: own.id }))
  await refused("EntityNotExist.User.AccessKey", root.deleteAccessKey(new ram.DeleteAccessKeyRequest({ userName, userAccessKeyId: own.id })))

  const userAccessKeyId = own.id
  const info = (await rootIMS.getAccessKeyInfoInRecycleBin(new ims.GetAccessKeyInfoInRecycleBinRequest({ userAccessKeyId }))).body.accessKey
  assert.equal(info.userId, userId)
  assert.equal(info.userRecycled, false)
  const bin = (await rootIMS.listAccessKeysInRecycleBin(new ims.ListAccessKeysInRecycleBinRequest({ userId }))).body.accessKeys.accessKey
  assert.deepEqual(bin.map((k) => k.accessKeyId), [own.id])
  await rootIMS.restoreAccessKeyFromRecycleBin(new ims.RestoreAccessKeyFromRecycleBinRequest({ userId, userAccessKeyId }))
  await rootIMS.deleteAccessKey(new ims.DeleteAccessKeyRequest({ userPrincipalName: info.userPrincipalName, userAccessKeyId }))
  await rootIMS.deleteAccessKeyInRecycleBin(new ims.DeleteAccessKeyInRecycleBinRequest({ userId, userAccessKeyId }))
  await refused("EntityNotExist.User.AccessKey", rootIMS.restoreAccessKeyFromRecycleBin(new ims.RestoreAccessKeyFromRecycleBinRequest({ userId, userAccessKeyId })))
  await refused("SignatureDoesNotMatch", client(RAM, { id: admin.id, secret: "x" }, algorithm).listAccessKeys(new ram.ListAccessKeysRequest({})))
}

async function popCore(UserName, method) {
  const call = (key, action, parameters) =>
    new PopCore.RPCClient({ accessKeyId: key.id, accessKeySecret: key.secret, endpoint: url, apiVersion: "2015-05-01" }).request(action, parameters, { method })
  const { AccessKey: made } = await call(admin, "CreateAccessKey", { UserName })
  const own = { id: made.AccessKeyId, secret: made.AccessKeySecret }
  const { AccessKeys } = await call(own, "ListAccessKeys", {})
  assert.deepEqual(AccessKeys.AccessKey.map((k) => k.AccessKeyId), [own.id])
  await refused("EntityNotExist.User", call(admin, "ListAccessKeys", { UserName: "nobody" }))
  await refused("SignatureDoesNotMatch", call({ id: admin.id, secret: "x" }, "ListAccessKeys", {}))
}

const ids = users.split(",")
const lives = {
  ACS3: () => life("user-0", ids[0], undefined),
  RPC: () => life("user-1", ids[1], "v2"),
  "pop-core by GET": () => popCore("user-2", "GET"),
  "pop-core by POST": () => popCore("user-3", "POST"),
}
for (const [name, run] of Object.entries(lives)) {
  try {
    await run()
  } catch (e) {
    console.error(`${name}:`, e)
    process.exit(1)
  }
}
