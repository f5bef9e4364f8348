#!/usr/bin/env escript
%% Prints terms of every kind that the port protocol uses, a line each: the bytes of term_to_binary/1 in
%% hexadecimal, a blank, the term. The output for OTP 25 is kept in erlang_terms.txt.
main([]) ->
    ok = io:setopts([{encoding, latin1}]),
    [io:format("~s ~ts~n", [hex(term_to_binary(T)), io_lib:format("~w", [T])]) || T <- terms()].

terms() ->
    [0, 1, 255, 256, -1, 2147483647, 2147483648, -2147483648, -2147483649,
     1 bsl 32, 1 bsl 59, 1 bsl 60, 9223372036854775807, -9223372036854775808,
     0.5, -1.5, 21.375, 1234567.125,
     ok, true, null, forever, list_to_atom(lists:duplicate(255, $a)),
     <<>>, <<"text">>, <<0, 255>>, <<"grün"/utf8>>, binary:copy(<<1>>, 300),
     [], [0], [1, 2, 255], [1, 256], [a], [[], [[]]],
     {}, {a}, {a, {b, [c]}}, list_to_tuple(lists:duplicate(256, 1)),
     #{}, #{a => 1}, #{1 => #{<<"k">> => []}},
     maps:from_list([{N, N * N} || N <- lists:seq(1, 32)]),
     {hello, #{protocol => 1, vhost => <<"example.org">>}},
     {request, 17, 10000, {names, #{'after' => null, match => part, filter => <<"#">>, max => 50}}},
     {credit, 100}, {notified, 12345678901}].

hex(Bin) ->
    [io_lib:format("~2.16.0b", [Byte]) || <<Byte>> <= Bin].
