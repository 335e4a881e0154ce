package saml

// hints holds what to change, and where, for the codes that have one answer for every identity provider. entraHints
// replaces it where the identity provider is Microsoft Entra ID and its portal has a name for the place.
var hints = map[Code]string{}
