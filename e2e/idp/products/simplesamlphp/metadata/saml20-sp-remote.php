<?php
// The services of clients.json: what SimpleSAMLphp's own parser reads in the metadata of each, and the settings of its administrator.
foreach (json_decode(file_get_contents(getenv('IDP_DIR') . '/clients.json'), true) as $client) {
    if ($client['metadata'] === '') {
        continue;
    }
    $parsed = SimpleSAML\Metadata\SAMLParser::parseFile($client['metadata'])->getMetadata20SP();
    if ($parsed === null) { // expired, for instance
        continue;
    }
    $metadata[$client['entity_id']] = array_merge($parsed, $client['knobs']);
}
