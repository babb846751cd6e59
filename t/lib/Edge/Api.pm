package Edge::Api;

# The three APIs for Edge::Upstream, with the answers in t/data/api: made after
# the event sequences that their documentation gives, so that tokens and
# events are known to a test.
#
#     $e->upstream(reply => \&Edge::Api::answer);
#
# The path says which API it is and "stream" in the body how it answers.  The
# request's headers say the rest, as a client cannot add to the body:
#   X-Scenario   text, tools, refusal, reasoning, length, error (the stream
#                ends with one), failed (responses only), cut (it ends in the
#                middle of an event), none (no answer at all), 400, 429, 529;
#                by default text
#   X-Chunk      bytes in a piece of an event stream; by default an event
#   X-Pace       milliseconds before each piece; by default 1
#   X-Try-Again  the first try is answered 429, by the count that the SDKs send
#
# Usage is in a chat stream if stream_options asks for it.

use strict;
use warnings;

use Cwd qw(abs_path);
use File::Basename qw(dirname);
use JSON::PP ();

my $data = abs_path(dirname(__FILE__) . '/../../data/api');
my $json = JSON::PP->new->utf8->canonical;

my %fault = (
    400 => [ 'invalid_request_error', 'the test asked for it' ],
    429 => [ 'rate_limit_error', 'Rate limit reached' ],
    529 => [ 'overloaded_error', 'Overloaded' ],
);

# The first as OpenAI spells it, the other as Anthropic does.
my %request_id = (anthropic => 'Request-Id');


sub answer {
    my ($req) = @_;
    my $api = api($req->{uri});
    my $in = eval { $req->json };

    return { status => 404, body => '{"error":{"type":"not_found_error"}}' }
        unless $api;

    my $scenario = $req->header('X-Scenario') // 'text';
    $scenario = 429 if defined $req->header('X-Try-Again')
        && !$req->header('X-Stainless-Retry-Count');
    $scenario = 400 if ref $in ne 'HASH';

    my @id = ($request_id{$api} // 'X-Request-Id', "req_$api");
    return fault($api, $scenario, @id) if $fault{$scenario};
    return { cut => 0 } if $scenario eq 'none';

    if (!$in->{stream}) {
        return { headers => \@id, body => recorded("$api-$scenario.json") };
    }

    my $cut = $scenario eq 'cut';
    my $text = recorded($api . '-' . ($cut ? 'text' : $scenario) . '.sse');

    $text = without_usage($text) if $api eq 'openai_chat'
        && !(ref $in->{stream_options} eq 'HASH'
             && $in->{stream_options}{include_usage});
    $text = broken_off($text) if $cut;

    return {
        headers => [ 'Cache-Control', 'no-cache', @id ], broken => $cut,
        type => 'text/event-stream; charset=utf-8',
        pieces => pieces($text, $req->header('X-Chunk'),
                         $req->header('X-Pace')),
    };
}


sub api {
    my ($uri) = @_;

    $uri =~ s/\?.*//s;
    return $uri =~ m{/chat/completions\z} ? 'openai_chat'
         : $uri =~ m{/responses\z} ? 'openai_responses'
         : $uri =~ m{/messages\z} ? 'anthropic' : undef;
}


# The bytes of an answer, NAME as in t/data/api.

sub recorded {
    my ($name) = @_;

    open my $f, '<:raw', "$data/$name" or die "cannot open '$name': $!\n";
    local $/;
    return scalar <$f>;
}


# What OpenAI sends to those who did not ask for usage: the chunk that has it
# is not there, nor is the null in the others.

sub without_usage {
    my ($text) = @_;

    $text =~ s/^data: [^\n]*"choices":\[\],[^\n]*\n\n//mg;
    $text =~ s/,"usage":null//g;
    return $text;
}


# Eight events and half of the next: the same with usage or without.

sub broken_off {
    my ($text) = @_;
    my @events = $text =~ /(.*?\n\n)/sg;

    return join '', @events[ 0 .. 7 ],
                    substr $events[8], 0, int(length($events[8]) / 2);
}


sub pieces {
    my ($text, $chunk, $pace) = @_;
    my $pause = ($pace // 1) / 1000;
    my @parts = $chunk ? unpack("(a$chunk)*", $text)
                       : $text =~ /(.*?\n\n|.+\z)/sg;

    return [ map { [ $pause, $_ ] } @parts ];
}


# An error as each API words it.  A client that tries again does so at once.

sub fault {
    my ($api, $status, @headers) = @_;
    my ($type, $message) = @{ $fault{$status} };
    my %error = (type => $type, message => $message);

    push @headers, 'Retry-After-Ms', 1 if $status == 429;

    my $body = $api eq 'anthropic'
        ? { type => 'error', error => \%error, request_id => "req_$api" }
        : { error => { %error, param => undef, code => undef } };

    return { status => $status, headers => \@headers,
             body => $json->encode($body) };
}


1;
