%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_wire_tests).

-include_lib("eunit/include/eunit.hrl").

every_frame_of_the_program_is_read_test_() ->
    [
        ?_assertEqual({ok, Frame}, mod_mqtt_rollup_wire:decode(term_to_binary(Frame)))
     || Frame <- [
            {hello, #{protocol => 1, build => <<"x">>, pid => 1, frame_bytes_max => 1}},
            {configured, 1, ok},
            {configured, 1, {error, [{storage, <<"data_dir">>, <<"is locked">>}]}},
            {checked, 2, {error, [{bad_config, <<>>, <<"no">>}, {bad_config, <<>>, <<"no">>}]}},
            {reply, 3, {ok, #{rows => [], next => <<>>}}},
            {reply, 3, {error, {not_found, <<"series">>, <<"no">>}}},
            {notify, 4, #{id => <<"i">>}},
            {committed, 0, 0},
            {committed, 1 bsl 62, 12},
            {publish, [{<<"a">>, <<"1">>, 1, true, 60, <<"text/plain">>}, {<<"b">>, <<>>, 0, false, none, <<>>}]},
            {log, warning, <<"text">>}
        ]
    ].

what_is_no_frame_is_refused_test_() ->
    [
        ?_assertMatch({error, _}, mod_mqtt_rollup_wire:decode(Bin))
     || Bin <- [
            <<>>,
            <<131>>,
            <<131, 109, 255, 255, 255, 255>>,
            <<"garbage">>,
            term_to_binary(hello),
            term_to_binary({hello, #{}}),
            term_to_binary({configured, x, ok}),
            term_to_binary({configured, 1, {error, []}}),
            term_to_binary({configured, 1, {error, [{1, <<>>, <<>>}]}}),
            term_to_binary({reply, 1, {ok, []}}),
            term_to_binary({reply, 1, maybe_so}),
            term_to_binary({log, fatal, <<>>}),
            term_to_binary({notify, 1, []}),
            term_to_binary({committed, -1, 0}),
            term_to_binary({committed, 1, none}),
            term_to_binary({publish, []}),
            term_to_binary({publish, [{<<"a">>, <<"1">>, 3, true, none, <<>>}]}),
            term_to_binary({publish, [{<<"a">>, <<"1">>, 1, true, 0, <<>>}]}),
            term_to_binary({publish, [{<<"a">>, <<"1">>, 1, 1, none, <<>>}]}),
            term_to_binary({publish, [{<<"a">>, <<"1">>, 1, true, none, <<>>} | x]}),
            term_to_binary({publish, lists:duplicate(257, {<<"a">>, <<"1">>, 1, true, none, <<>>})}),
            term_to_binary({reply, 1, {ok, #{}}, extra})
        ]
    ].

a_frame_cannot_make_atoms_or_bring_code_test() ->
    Unknown = <<"atom_that_nobody_has_made_yet_", (integer_to_binary(rand:uniform(1000000000)))/binary>>,
    Atom = <<131, 119, (byte_size(Unknown)), Unknown/binary>>,
    ?assertMatch({error, _}, mod_mqtt_rollup_wire:decode(Atom)),
    ?assertError(badarg, binary_to_existing_atom(Unknown, utf8)),
    Nan = <<131, 70, 127, 248, 0, 0, 0, 0, 0, 0>>,
    ?assertMatch({error, _}, mod_mqtt_rollup_wire:decode(Nan)).

what_is_sent_is_read_back_test() ->
    Term = {request, 1, 5000, {names, #{filter => <<"a/#">>, match => part, 'after' => null, max => 5}}},
    {ok, Bin} = mod_mqtt_rollup_wire:encode(Term),
    ?assertEqual(Term, binary_to_term(Bin)).

too_large_a_frame_is_not_sent_test() ->
    Huge = binary:copy(<<0>>, 16 * 1024 * 1024),
    ?assertEqual({error, too_large}, mod_mqtt_rollup_wire:encode({configure, 1, Huge})).

frames_are_found_wherever_the_pipe_cuts_them_test_() ->
    Frames = [<<>>, <<"a">>, binary:copy(<<"b">>, 300), <<"c">>],
    All = iolist_to_binary([mod_mqtt_rollup_wire:framed(Frame) || Frame <- Frames]),
    [
        ?_assertEqual(Frames, split(All, Size, mod_mqtt_rollup_wire:splitter()))
     || Size <- [1, 2, 3, 5, 100, 299, byte_size(All)]
    ].

split(Bin, Size, Splitter) when byte_size(Bin) =< Size ->
    {ok, Frames, _} = mod_mqtt_rollup_wire:split(Bin, Splitter),
    Frames;
split(Bin, Size, Splitter) ->
    <<Part:Size/binary, Rest/binary>> = Bin,
    {ok, Frames, Next} = mod_mqtt_rollup_wire:split(Part, Splitter),
    Frames ++ split(Rest, Size, Next).

a_length_that_no_frame_has_is_refused_at_once_test() ->
    ?assertMatch({error, _}, mod_mqtt_rollup_wire:split(<<(1 bsl 30):32>>, mod_mqtt_rollup_wire:splitter())).
