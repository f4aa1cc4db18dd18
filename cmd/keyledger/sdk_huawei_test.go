package main

import "testing"

// TestSDKHuaweiNode is a key's life through the SDKs for Node.js of Huawei Cloud and OBS. Those for
// Go are clients in a module of their own.
func TestSDKHuaweiNode(t *testing.T) {
	w := newWorld(t, "npm")
	root := w.open("huawei")
	user := w.keyledger("huawei.json", "user", "create", "--name", "alice")["user_id"].(string)
	w.node("huawei-node", "life.cjs", "KEYLEDGER_URL="+w.server.URL, "KEYLEDGER_KEY="+root.id, "KEYLEDGER_SECRET="+root.secret, "KEYLEDGER_USER="+user)
}
