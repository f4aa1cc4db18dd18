package aws

import "github.com/keyledger/keyledger/services/dialect"

// arn returns the caller's Amazon Resource Name.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func arn(i dialect.Identity) string {
	if i.Root {
		return "arn:aws:iam::" + i.Account + ":root"
	}
	return "arn:aws:iam::" + i.Account + ":user/" + i.UserName
}
