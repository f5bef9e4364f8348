#!/usr/bin/env escript
%% Reads frames ({packet, 4}) from a file and prints the term of each on a line.
main([Path]) ->
    ok = io:setopts([{encoding, latin1}]),
    {ok, Bytes} = file:read_file(Path),
    [io:format("~w~n", [binary_to_term(Term)]) || <<Size:32, Term:Size/binary>> <= Bytes].
