package trace

// Seldom is seldom.
var Seldom = seldom
