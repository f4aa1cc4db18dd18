package api

// GatewayOf is who sends a request, by its Authorization.
var GatewayOf = gatewayOf
