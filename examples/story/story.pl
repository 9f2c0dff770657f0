# The story in Perl, with DBI and DBD::Pg: perl story.pl
use v5.32;
use warnings;

use DBI;
use JSON::PP;

my $owner = 'ada';
my $json = JSON::PP->new->utf8->canonical;
my $db = DBI->connect('dbi:Pg:', undef, undef,
    { AutoCommit => 1, RaiseError => 1, PrintError => 0, pg_enable_utf8 => 0 });

# Each call is one statement, which is one transaction: the tenant is set for this statement only.
sub append_thread {
    my ($key, $messages, $expected_count) = @_;
    my @arguments = ($owner, $key, $json->encode($messages), $expected_count);
    return $db->selectrow_hashref(<<~'SQL', undef, @arguments);
        select a.state_key, a.message_count, a.appended
        from pgthreads.set_tenant(?) as t(owner),
          lateral pgthreads.append_thread(t.owner, ?, ?, ?) as a
        SQL
}

sub load_thread {
    my ($key) = @_;
    my ($messages) = $db->selectrow_array(<<~'SQL', undef, $owner, $key);
        select l.messages
        from pgthreads.set_tenant(?) as t(owner),
          lateral pgthreads.load_thread(t.owner, ?) as l(messages)
        SQL
    return $json->decode($messages)->@*;
}

sub list_threads {
    return $db->selectall_arrayref(<<~'SQL', { Slice => {} }, $owner)->@*;
        select s.title, s.message_count
        from pgthreads.set_tenant(?) as t(owner), lateral pgthreads.list_threads(t.owner) as s
        SQL
}

sub delete_thread {
    my ($key) = @_;
    my ($deleted) = $db->selectrow_array(<<~'SQL', undef, $owner, $key);
        select d.deleted
        from pgthreads.set_tenant(?) as t(owner),
          lateral pgthreads.soft_delete_thread(t.owner, ?) as d(deleted)
        SQL
    return $deleted;
}

# Runs the block. Returns true if it was refused with this SQLSTATE, and dies at any other error.
sub refused {
    my ($sqlstate, $block) = @_;
    return 0 if eval { $block->(); 1 };
    die $@ if $db->state ne $sqlstate;
    return 1;
}

sub text {
    my ($id, $role, $words) = @_;
    return { id => $id, role => $role, parts => [{ type => 'text', text => $words }] };
}

my $created = append_thread(undef, [text('q1', 'user', 'Which mountain is the highest?')]);
my $key = $created->{state_key};
printf "created: key of %d characters, count %d\n", length $key, $created->{message_count};

my $answer = text('a1', 'assistant', 'Mount Everest, with 8,849 m.');
for my $step (qw(answered repeated)) {
    my $done = append_thread($key, [$answer], 1);
    say "$step: appended $done->{appended}, count $done->{message_count}";
}

my $question = text('q2', 'user', 'And the second highest?');
if (refused THCNT => sub { append_thread($key, [$question], 1) }) {
    say 'conflict: THCNT, loaded again';
    my $done = append_thread($key, [$question], scalar(my @messages = load_thread($key)));
    say "resolved: appended $done->{appended}, count $done->{message_count}";
}

say "  $_->{role}: $_->{parts}[0]{text}" for load_thread($key);
say "listed: $_->{title} ($_->{message_count})" for list_threads();
say 'deleted: ', delete_thread($key) ? 'true' : 'false';

if (refused THDEL => sub { append_thread($key, [$question]) }) {
    say 'refused: THDEL, nothing appended';
}
printf "left: %d messages, %d threads\n", scalar(my @messages = load_thread($key)),
    scalar(my @threads = list_threads());
