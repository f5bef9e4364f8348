%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_publisher_tests).

-include_lib("eunit/include/eunit.hrl").

-include("mqtt.hrl").

-define(HOST, <<"example.org">>).
-define(FAKE, mod_mqtt_rollup_fake_mqtt).
-define(NEVER, 4294967295).

it_says_that_the_program_is_away_until_it_is_there_test() ->
    with_publisher(fun() ->
        ?assertMatch({{<<>>, ?HOST, <<"mqtt_rollup">>}, status, <<"offline">>, ?NEVER}, next_status()),
        mod_mqtt_rollup_publisher:status(?HOST, online),
        mod_mqtt_rollup_publisher:status(?HOST, online),
        ?assertMatch({_, status, <<"online">>, _}, next_status()),
        mod_mqtt_rollup_publisher:status(?HOST, offline),
        ?assertMatch({_, status, <<"offline">>, _}, next_status())
    end).

publications_keep_their_order_and_are_answered_together_test() ->
    with_publisher(fun() ->
        _ = next_status(),
        publish([{<<"stats/", (integer_to_binary(N))/binary>>, <<"x">>, 1, true, none, <<>>} || N <- [1, 2, 3]]),
        ?assertEqual(
            [{<<"stats/1">>, 1, true}, {<<"stats/2">>, 1, true}, {<<"stats/3">>, 1, true}],
            [{Topic, Qos, Retain} || _ <- [1, 2, 3], #publish{topic = Topic, qos = Qos, retain = Retain} <- [next()]]
        ),
        ?assertEqual({3, 0}, answer())
    end).

texts_are_marked_as_such_test() ->
    with_publisher(fun() ->
        _ = next_status(),
        publish([
            {<<"a">>, <<"{}">>, 1, true, none, <<"application/json">>},
            {<<"b">>, <<"22 °C"/utf8>>, 1, true, none, <<"text/plain">>},
            {<<"c">>, <<255>>, 1, true, none, <<"text/plain">>},
            {<<"d">>, <<"x">>, 1, true, none, <<"application/x-protobuf">>}
        ]),
        ?assertEqual(
            [
                #{content_type => <<"application/json">>, payload_format_indicator => utf8},
                #{content_type => <<"text/plain">>, payload_format_indicator => utf8},
                #{content_type => <<"text/plain">>},
                #{content_type => <<"application/x-protobuf">>}
            ],
            [Properties || _ <- [1, 2, 3, 4], #publish{properties = Properties} <- [next()]]
        )
    end).

an_expiry_becomes_a_time_test() ->
    with_publisher(fun() ->
        _ = next_status(),
        Before = erlang:system_time(second),
        publish([{<<"a">>, <<"x">>, 0, false, 60, <<>>}]),
        receive
            {published, _, #publish{properties = Properties}, Time} ->
                ?assertEqual(#{message_expiry_interval => 60}, Properties),
                ?assert(Time >= Before + 60),
                ?assert(Time =< Before + 70)
        after 5000 -> ?assert(false)
        end
    end).

refusals_are_counted_and_nothing_crashes_test() ->
    with_publisher(fun() ->
        _ = next_status(),
        One = {<<"stats/a">>, <<"x">>, 1, true, none, <<>>},
        [
            begin
                answer_with(Answer),
                publish([One, One]),
                ?assertEqual({2, 2}, answer())
            end
         || Answer <- [{error, publish_forbidden}, {error, db_failure}, crash]
        ],
        answer_with({ok, 1}),
        publish([One, setelement(1, One, <<"a/#">>), setelement(1, One, <<>>)]),
        ?assertEqual({3, 2}, answer())
    end).

without_mod_mqtt_everything_is_refused_test() ->
    with_publisher(fun() ->
        _ = next_status(),
        ?FAKE:unload(?HOST, mod_mqtt),
        publish([{<<"stats/a">>, <<"x">>, 1, true, none, <<>>}]),
        ?assertEqual({1, 1}, answer())
    end).

the_end_says_offline_test() ->
    with_publisher(fun() ->
        _ = next_status(),
        mod_mqtt_rollup_publisher:status(?HOST, online),
        _ = next_status(),
        gen_server:stop(gen_mod:get_module_proc(?HOST, mod_mqtt_rollup_publisher)),
        ?assertMatch({_, status, <<"offline">>, _}, next_status())
    end).

%%% Helpers

%% The owner of the port is the process of the test.
with_publisher(Test) ->
    ?FAKE:start(),
    ?FAKE:load(?HOST, mod_mqtt, #{access_publish => []}),
    ?FAKE:load(?HOST, mod_mqtt_rollup, #{brokers => [], streams => [{<<"t">>, #{topic => <<"a">>}}], limits => #{}, data_dir => "/nonexistent"}),
    register(gen_mod:get_module_proc(?HOST, mod_mqtt_rollup_port), self()),
    {ok, Publisher} = mod_mqtt_rollup_publisher:start_link(?HOST),
    try
        Test()
    after
        is_process_alive(Publisher) andalso gen_server:stop(Publisher),
        unregister(gen_mod:get_module_proc(?HOST, mod_mqtt_rollup_port)),
        ?FAKE:stop(),
        flush()
    end.

%% What a test did not look at is none of the next one's business.
flush() ->
    receive
        _ -> flush()
    after 0 -> ok
    end.

publish(Publications) ->
    mod_mqtt_rollup_publisher:publish(?HOST, port, Publications).

answer_with(Answer) ->
    ?FAKE:answer(Answer).

answer() ->
    receive
        {'$gen_cast', {of_run, port, {published, Count, Refused}}} -> {Count, Refused}
    after 5000 -> none
    end.

next() ->
    receive
        {published, _, Publish, _} -> Publish
    after 5000 -> none
    end.

next_status() ->
    receive
        {published, USR, #publish{topic = <<"rollup/status">>, qos = 1, retain = true, payload = Payload}, Time} ->
            {USR, status, Payload, Time}
    after 5000 -> none
    end.
