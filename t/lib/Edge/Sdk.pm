package Edge::Sdk;

# What an SDK made of an answer, said alike for three APIs: a hash of text,
# refusal, tools (NAME => ARGUMENTS, ...), ends and tokens (input, output).
# The answer is what t/npm/sdk.mjs prints: a whole one, or events.

use strict;
use warnings;

use JSON::PP ();

my %digest = (chat => \&digest_chat, responses => \&digest_responses,
              messages => \&digest_messages);


sub digest {
    my ($api, $result) = @_;

    return $digest{$api}->($result);
}


sub tool {
    my ($name, $arguments) = @_;

    return ($name, JSON::PP->new->decode($arguments));
}


sub digest_chat {
    my ($r) = @_;
    my $whole = $r->{data} // $r->{final};
    my $usage = $whole ? $whole->{usage} : $r->{events}[-1]{usage};
    my %d = (text => '', refusal => '', tools => [], ends => undef,
             tokens => [ @{ $usage // {} }{qw(prompt_tokens
                                              completion_tokens)} ]);

    if ($whole) {
        my $choice = $whole->{choices}[0];
        my $m = $choice->{message};

        $d{text} = $m->{content} // '';
        $d{refusal} = $m->{refusal} // '';
        $d{tools} = [ map { tool(@{ $_->{function} }{qw(name arguments)}) }
                      @{ $m->{tool_calls} || [] } ];
        $d{ends} = $choice->{finish_reason};
        return \%d;
    }

    for my $choice (map { @{ $_->{choices} } } @{ $r->{events} }) {
        $d{text} .= $choice->{delta}{content} // '';
        $d{refusal} .= $choice->{delta}{refusal} // '';
        $d{ends} //= $choice->{finish_reason};
    }

    return \%d;
}


sub digest_responses {
    my ($r) = @_;
    my $whole = $r->{data} // $r->{final} // $r->{events}[-1]{response};
    my %d = (text => '', refusal => '', tools => [],
             tokens => [ @{ $whole->{usage} }{qw(input_tokens
                                                 output_tokens)} ],
             ends => $whole->{incomplete_details}
                     ? $whole->{incomplete_details}{reason}
                     : $whole->{status});

    for my $item (@{ $whole->{output} }) {
        push @{ $d{tools} }, tool(@$item{qw(name arguments)})
            if $item->{type} eq 'function_call';

        next unless $item->{type} eq 'message';

        for my $part (@{ $item->{content} }) {
            $d{text} .= $part->{text} // '';
            $d{refusal} .= $part->{refusal} // '';
        }
    }

    return \%d;
}


sub digest_messages {
    my ($r) = @_;
    my $whole = $r->{data} // $r->{final} // gathered($r->{events});
    my @content = @{ $whole->{content} };

    return {
        text => join('', map { $_->{text} // '' } @content), refusal => '',
        tools => [ map { @$_{qw(name input)} }
                   grep { $_->{type} eq 'tool_use' } @content ],
        ends => $whole->{stop_reason},
        tokens => [ @{ $whole->{usage} }{qw(input_tokens output_tokens)} ],
    };
}


# A message of Anthropic's events.

sub gathered {
    my ($events) = @_;
    my %m;

    for my $ev (@$events) {
        my $delta = $ev->{delta};
        my $block = defined $ev->{index} ? $m{content}[ $ev->{index} ] //= {}
                                         : {};

        if ($ev->{type} eq 'message_start') {
            %m = %{ $ev->{message} };
            $m{content} = [];

        } elsif ($ev->{type} eq 'content_block_start') {
            %$block = (%{ $ev->{content_block} }, json => '');

        } elsif ($ev->{type} eq 'content_block_delta') {
            $block->{text} .= $delta->{text} // ''
                if $delta->{type} eq 'text_delta';
            $block->{json} .= $delta->{partial_json} // '';

        } elsif ($ev->{type} eq 'message_delta') {
            $m{stop_reason} = $delta->{stop_reason};
            $m{usage} = $ev->{usage};
        }
    }

    for my $block (grep { $_->{type} eq 'tool_use' } @{ $m{content} }) {
        $block->{input} = JSON::PP->new->decode($block->{json});
    }

    return \%m;
}


1;
