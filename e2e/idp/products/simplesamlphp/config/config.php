<?php
// SimpleSAMLphp as an identity provider on loopback. IDP_DIR, a directory of the test, has all that varies, and takes all that is written.
$dir = getenv('IDP_DIR');
foreach (['log', 'data', 'tmp', 'sessions'] as $name) {
    if (!is_dir("$dir/$name")) {
        mkdir("$dir/$name", 0700);
    }
}
$config = [
    'baseurlpath' => getenv('IDP_BASE') . '/simplesaml/',
    'certdir' => "$dir/",
    'loggingdir' => "$dir/log/",
    'datadir' => "$dir/data/",
    'tempdir' => "$dir/tmp",
    'metadatadir' => dirname(__DIR__) . '/metadata/',
    'metadata.sources' => [['type' => 'flatfile']],
    'secretsalt' => 'of-a-test-and-nothing-else',
    'auth.adminpassword' => 'of-a-test-and-nothing-else',
    'timezone' => 'UTC',
    'enable.saml20-idp' => true,
    'enable.http_post' => true, // the service is on http, and posting to it would go through a page that warns
    'module.enable' => ['core' => true, 'saml' => true, 'exampleauth' => true],
    'admin.protectmetadata' => false,
    'admin.checkforupdates' => false,
    'logging.handler' => 'errorlog', // the output of the server
    'logging.level' => SimpleSAML\Logger::NOTICE,
    'showerrors' => true,
    'errorreporting' => false,
    'store.type' => 'phpsession',
    'session.phpsession.savepath' => "$dir/sessions",
    'session.cookie.secure' => false,
    'session.cookie.samesite' => null,
    'language.available' => ['en'],
    'language.default' => 'en',
    'theme.use' => 'default',
    'authproc.idp' => [],
    'authproc.sp' => [],
];
