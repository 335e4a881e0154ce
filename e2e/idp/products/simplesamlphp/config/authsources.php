<?php
// The users of users.json, with the attribute names that directories have.
$config = ['users' => ['exampleauth:UserPass']];
foreach (json_decode(file_get_contents(getenv('IDP_DIR') . '/users.json'), true) as $user) {
    $config['users'][$user['name'] . ':' . $user['name'] . 'pass'] = [
        'uid' => [$user['name']],
        'mail' => $user['email'] === '' ? [] : [$user['email']],
        'givenName' => [$user['given']],
        'sn' => [$user['surname']],
        'displayName' => [$user['given'] . ' ' . $user['surname']],
        'groups' => $user['groups'],
    ];
}
