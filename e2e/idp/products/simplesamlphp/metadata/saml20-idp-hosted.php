<?php
// The identity provider itself. keys.json names the pair that signs, and one that is announced beside it during a change of keys.
$keys = json_decode(file_get_contents(getenv('IDP_DIR') . '/keys.json'), true);
$metadata[getenv('IDP_BASE') . '/idp'] = [
    'host' => '__DEFAULT__',
    'auth' => 'users',
    'privatekey' => $keys['signs'] . '.key',
    'certificate' => $keys['signs'] . '.crt',
    'SingleSignOnServiceBinding' => [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
    ],
    'SingleLogoutServiceBinding' => [
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect',
        'urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST',
    ],
    // These make the NameIDs; the service's metadata, or its settings, choose one.
    'authproc' => [
        10 => ['class' => 'saml:AttributeNameID', 'attribute' => 'mail', 'Format' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:emailAddress'],
        11 => ['class' => 'saml:AttributeNameID', 'attribute' => 'uid', 'Format' => 'urn:oasis:names:tc:SAML:1.1:nameid-format:unspecified'],
        12 => ['class' => 'saml:PersistentNameID', 'attribute' => 'uid'],
        13 => ['class' => 'saml:TransientNameID'],
    ],
] + ($keys['announced'] === '' ? [] : ['new_privatekey' => $keys['announced'] . '.key', 'new_certificate' => $keys['announced'] . '.crt']);
