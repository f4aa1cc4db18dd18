package node

// AtStep has f told what a first start of this process has just made.
func AtStep(f func(made string)) { step = f }
