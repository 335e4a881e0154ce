# LemonLDAP::NG's portal, with the users of users.json in the backend that it has for demonstrations. Their password is their name.
use strict;
use warnings;
use JSON;
use Plack::Builder;
use Plack::App::File;
use Lemonldap::NG::Portal;
use Lemonldap::NG::Portal::UserDB::Demo;

open my $file, '<', "$ENV{IDP_DIR}/users.json" or die "users.json: $!";
my $users = JSON->new->utf8->decode(join '', <$file>);
for my $user (@$users) {
    # The session holds octets, as it does with LDAP.
    my %octets = map { my $value = $user->{$_}; utf8::encode($value); $_ => $value } qw(name email given surname);
    $Lemonldap::NG::Portal::UserDB::Demo::demoAccounts{ $octets{name} } = {
        uid       => $octets{name},
        mail      => length $octets{email} ? $octets{email} : undef,
        givenName => $octets{given},
        sn        => $octets{surname},
        cn        => "$octets{given} $octets{surname}",
    };
    for my $group (@{ $user->{groups} }) {
        my $name = $group;
        utf8::encode($name);
        push @{ $Lemonldap::NG::Portal::UserDB::Demo::demoGroups{$name} }, $octets{name};
    }
}

my $portal = Lemonldap::NG::Portal->run( {} );
builder {
    mount '/static' => Plack::App::File->new( root => '/usr/share/lemonldap-ng/portal/htdocs/static' )->to_app;
    mount '/javascript' => Plack::App::File->new( root => '/usr/share/javascript' )->to_app; # the portal's scripts need jQuery
    mount '/'       => $portal;
};
