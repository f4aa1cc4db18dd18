// A key's life by the Tencent Cloud SDK for Node, in each way that it signs and sends. It gets where to go, and an
// administrator's key, in its environment, and ends with an error at the first thing that is not as it should be.
import assert from "node:assert/strict"
import tencentcloud from "tencentcloud-sdk-nodejs"

const { KEYLEDGER_HOST: host, KEYLEDGER_USERS: users } = process.env
const admin = { id: process.env.KEYLEDGER_ACCESS_KEY_ID, secret: process.env.KEYLEDGER_SECRET_ACCESS_KEY }
const { Client } = tencentcloud.cam.v20190116

function client(key, signMethod, reqMethod) {
  return new Client({
    credential: { secretId: key.id, secretKey: key.secret },
    region: "",
    profile: { signMethod, httpProfile: { endpoint: host, protocol: "http://", reqMethod } },
  })
}

async function refused(code, promise) {
  await assert.rejects(promise, (e) => e.code === code && e.requestId.length === 36)
}

// A user's ID has 18 digits, more than a number of JavaScript holds: it goes as a text.
async function life(TargetUin, signMethod, reqMethod) {
  const as = (key) => client(key, signMethod, reqMethod)
  const root = as(admin)
  const { AccessKey: made } = await root.CreateAccessKey({ TargetUin, Description: "made/by=SDK+1" })
  assert.equal(made.Status, "Active")
  assert.equal(made.Description, "made/by=SDK+1")
  const own = { id: made.AccessKeyId, secret: made.SecretAccessKey }
  const { AccessKey: other } = await as(own).CreateAccessKey({})
  await refused("OperationDenied.AccessKeyOverLimit", root.CreateAccessKey({ TargetUin }))
  const { AccessKeys: listed } = await as(own).ListAccessKeys({})
  assert.deepEqual(listed.map((k) => k.AccessKeyId).sort(), [own.id, other.AccessKeyId].sort())

  const SecretIdList = [own.id, other.AccessKeyId]
  for (const until = Date.now() + 20000; ; ) {
    const { SecretIdLastUsedRows: rows } = await root.GetSecurityLastUsed({ SecretIdList })
    assert.equal(rows.length, 2)
    assert.equal(rows[1].LastUsedDate, null)
    if (rows[0].LastUsedDate !== null) break
    assert.ok(Date.now() < until, "waited in vain for the last use")
  }

  const change = (Status) => root.UpdateAccessKey({ TargetUin, AccessKeyId: own.id, Status })
  await refused("FailedOperation.Accesskey", root.DeleteAccessKey({ TargetUin, AccessKeyId: own.id }))
  await change("Inactive")
  await refused("AuthFailure.SecretIdNotFound", as(own).ListAccessKeys({}))
  await change("Active")
  await as(own).ListAccessKeys({})
  await change("Inactive")
  await root.DeleteAccessKey({ TargetUin, AccessKeyId: own.id })
  await refused("OperationDenied.UinNotMatch", root.DeleteAccessKey({ TargetUin, AccessKeyId: own.id }))
  await refused("AuthFailure.SignatureFailure", as({ id: admin.id, secret: "x" }).ListAccessKeys({}))
}

const ways = ["TC3-HMAC-SHA256", "HmacSHA256", "HmacSHA1"].flatMap((s) => [[s, "POST"], [s, "GET"]])
const ids = users.split(",")
for (const [i, [signMethod, reqMethod]] of ways.entries()) {
  try {
    await life(ids[i], signMethod, reqMethod)
  } catch (e) {
    console.error(`${signMethod} by ${reqMethod}:`, e)
    process.exit(1)
  }
}
