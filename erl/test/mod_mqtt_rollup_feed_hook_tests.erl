%% SPDX-License-Identifier: GPL-2.0-or-later

%% What publishers meet, and what of theirs comes to the process of the feed.
-module(mod_mqtt_rollup_feed_hook_tests).

-include_lib("eunit/include/eunit.hrl").

-include("mqtt.hrl").

-import(mod_mqtt_rollup_feed_fixture, [
    with_feed/1, with_feed/2, start_feed/0, feed/1, publish/2, publish/3, fill/1, info/0, until/1,
    connect/0, connect/1, frame/1, next_messages/1, now_ms/0, with_log/1
]).

-define(HOST, <<"example.org">>).
-define(FAKE, mod_mqtt_rollup_fake_mqtt).
-define(FEED, mod_mqtt_rollup_feed).
-define(HOOK, mod_mqtt_rollup_feed_hook).
-define(ALICE, {<<"alice">>, ?HOST, <<"phone">>}).
-define(NEVER, 4294967295).
-define(KB, 1024).

what_a_stream_wants_comes_to_the_program_test() ->
    with_feed(fun(_) ->
        Port = connect(),
        Before = now_ms(),
        publish(<<"home/hall/t">>, <<"21">>),
        {feed, _, 1, UpTo, 0, <<>>, [Message]} = frame(Port),
        {<<"home/hall/t">>, <<"21">>, UpTo, 0, <<"alice@example.org/phone">>} = Message,
        ?assert(UpTo >= Before andalso UpTo =< now_ms())
    end).

what_nobody_wants_stays_out_test() ->
    with_feed(fun(_) ->
        publish(<<"garden/t">>, <<"1">>),
        publish(<<"$SYS/home">>, <<"1">>),
        ok = ?HOOK:mqtt_publish(?ALICE, #publish{topic = <<"home/hall/t">>, payload = <<"1">>}, 1),
        ?assertMatch(#{waiting := 0, seen := 3, wanted := 1, expired := 1, filters := 2}, info())
    end).

several_filters_make_one_message_test() ->
    with_feed(#{filters => [<<"home/+/t">>, <<"home/#">>, <<"#">>]}, fun(_) ->
        publish(<<"home/hall/t">>, <<"1">>),
        ?assertMatch(#{waiting := 1}, info())
    end).

a_publisher_that_was_killed_before_it_could_send_holds_up_nothing_test() ->
    with_feed(fun(#{feed := Feed}) ->
        Port = connect(),
        send_to(ended(fun() -> ok end), Feed, fun() -> publish(<<"home/hall/t">>, <<"lost">>) end),
        ?assertMatch({feed, _, 1, _, 0, <<>>, []}, frame(Port)),
        publish(<<"home/hall/t">>, <<"21">>),
        ?assertMatch({feed, _, 1, _, 0, <<>>, [{_, <<"21">>, _, _, _}]}, next_messages(Port))
    end).

a_message_of_a_publisher_that_was_interrupted_is_put_after_what_the_program_was_told_test() ->
    with_feed(fun(#{feed := Feed}) ->
        Port = connect(),
        Test = self(),
        send_to(Test, Feed, fun() -> publish(<<"home/hall/t">>, <<"21">>) end),
        {publish, {_, _, Arrival, _, _}, _} = Message = receive {publish, _, _} = Published -> Published end,
        {feed, _, 1, UpTo, 0, <<>>, []} = frame(Port),
        ?assert(UpTo >= Arrival),
        Feed ! Message,
        {feed, _, 1, _, 0, <<>>, [{_, <<"21">>, After, _, _}]} = next_messages(Port),
        ?assert(After >= UpTo)
    end).

what_is_in_the_mailbox_comes_before_the_next_heartbeat_test() ->
    with_feed(fun(#{feed := Feed}) ->
        Port = connect(),
        ok = sys:suspend(Feed),
        publish(<<"home/hall/t">>, <<"1">>),
        Feed ! {mark, now_ms()},
        publish(<<"home/hall/t">>, <<"2">>),
        ok = sys:resume(Feed),
        {feed, Epoch, 1, _, _, _, First} = next_messages(Port),
        ?FEED:committed(?HOST, Epoch, length(First)),
        Second =
            case First of
                [_, _] -> [];
                [_] -> element(7, next_messages(Port))
            end,
        ?assertEqual([<<"1">>, <<"2">>], [Payload || {_, Payload, _, _, _} <- First ++ Second])
    end).

what_is_dropped_is_told_although_a_publisher_was_killed_before_it_could_test() ->
    with_feed(#{memory => 1000, disk => 1}, fun(#{feed := Feed}) ->
        fill(0),
        #{dropped := Dropped} = info(),
        send_to(ended(fun() -> ok end), Feed, fun() -> publish(<<"home/a/t">>, <<"1">>) end),
        until(fun(#{dropped := N, lost := Lost}) ->
            publish(<<"home/a/t">>, <<"1">>),
            N > Dropped andalso Lost > Dropped
        end)
    end).

our_own_publications_are_not_heard_test() ->
    with_feed(fun(_) ->
        _ = ended(fun() ->
            ?HOOK:no_local(),
            publish(<<"home/hall/t">>, <<"1">>)
        end),
        ?assertMatch(#{waiting := 0, wanted := 0}, info())
    end).

one_process_may_publish_in_several_names_test() ->
    with_feed(fun(_) ->
        Names = [<<"alice">>, <<"alice">>, <<"bob">>, <<"alice">>],
        [
            ok = ?HOOK:mqtt_publish(
                {Name, ?HOST, <<"phone">>}, #publish{topic = <<"home/hall/t">>, payload = <<"1">>}, ?NEVER
            )
         || Name <- Names
        ],
        ?assertMatch(#{waiting := 4}, info()),
        {feed, _, _, _, _, _, Messages} = frame(connect()),
        ?assertEqual(
            [<<Name/binary, "@example.org/phone">> || Name <- Names],
            [Publisher || {_, _, _, _, Publisher} <- Messages]
        )
    end).

what_waits_in_the_mailbox_keeps_its_order_test() ->
    with_feed(fun(#{feed := Feed}) ->
        ok = sys:suspend(Feed),
        Numbers = [integer_to_binary(N) || N <- lists:seq(1, 950)],
        [publish(<<"home/hall/t">>, Number, 1) || Number <- Numbers],
        ok = sys:resume(Feed),
        ?assertMatch(#{waiting := 950}, info()),
        {feed, _, _, _, _, _, Messages} = frame(connect()),
        ?assertEqual(Numbers, [Payload || {_, Payload, _, _, _} <- Messages])
    end).

a_payload_that_is_too_long_is_cut_test() ->
    with_feed(#{payload => 10}, fun(_) ->
        Port = connect(#{payload => 10}),
        publish(<<"home/hall/t">>, binary:copy(<<"1">>, 100)),
        {feed, _, _, _, _, _, [{_, Payload, _, _, _}]} = frame(Port),
        ?assertEqual(11, byte_size(Payload))
    end).

a_small_part_of_a_large_binary_does_not_keep_it_test() ->
    with_feed(fun(#{feed := Feed}) ->
        <<_:100/binary, Part:70/binary, _/binary>> = Large = binary:copy(<<"1">>, 1000 * ?KB),
        publish(<<"home/hall/t">>, Part),
        _ = info(),
        {binary, Binaries} = process_info(Feed, binary),
        ?assertEqual([], [Size || {_, Size, _} <- Binaries, Size >= byte_size(Large)])
    end).

the_hook_never_raises_test() ->
    with_feed(fun(#{feed := Feed}) ->
        [
            ?assertEqual(ok, ?HOOK:mqtt_publish(USR, Publish, Expiry))
         || USR <- [?ALICE, {a, ?HOST, b}, {<<>>, <<"elsewhere">>, <<>>}],
            Publish <- [#publish{topic = Topic, payload = P} || Topic <- [<<"home/a/t">>, 1, <<>>], P <- [<<>>, x]],
            Expiry <- [?NEVER, 0, soon]
        ],
        ?assert(is_process_alive(Feed)),
        ?assertMatch(#{waiting := 2}, info())
    end).

a_feed_that_was_killed_does_no_harm_test() ->
    with_feed(#{start => linked}, fun(#{feed := Feed}) ->
        unlink(Feed),
        Ref = monitor(process, Feed),
        exit(Feed, kill),
        receive
            {'DOWN', Ref, _, _, _} -> ok
        end,
        %% More than the mailbox may hold, so that in the end the publisher would wait.
        Payload = binary:copy(<<"1">>, 100 * ?KB),
        {Micros, _} = timer:tc(fun() -> [publish(<<"home/a/t">>, Payload) || _ <- lists:seq(1, 200)] end),
        ?assert(Micros < 2000000)
    end).

when_full_qos_0_is_dropped_and_told_test() ->
    with_feed(#{memory => 1000, disk => 1}, fun(_) ->
        fill(0),
        #{dropped := Dropped, lost := Dropped, waiting := Waiting} = info(),
        ?assert(Dropped > 0),
        Port = connect(#{memory => 1000, disk => 1}),
        {feed, Epoch, 1, _, 0, <<>>, First} = frame(Port),
        ?FEED:committed(?HOST, Epoch, length(First)),
        {feed, Epoch, _, _, Lost, Topic, Last} = next_messages(Port),
        ?assertEqual({Dropped, <<"home/full/t">>, Waiting}, {Lost, Topic, length(First) + length(Last)}),
        ?FEED:committed(?HOST, Epoch, Waiting),
        until(fun(#{waiting := N}) -> N =:= 0 end),
        publish(<<"home/a/t">>, <<"1">>),
        {feed, Epoch, _, _, 0, <<>>, [_]} = next_messages(Port)
    end).

when_full_qos_1_waits_for_room_test() ->
    with_feed(#{memory => 1000, disk => 1}, fun(_) ->
        fill(0),
        #{waiting := Waiting, dropped := Dropped} = info(),
        Test = self(),
        spawn_link(fun() ->
            publish(<<"home/a/t">>, <<"1">>, 1),
            Test ! published
        end),
        until(fun(#{waited := N}) -> N =:= 1 end),
        receive
            published -> ?assert(false)
        after 300 -> ok
        end,
        Port = connect(#{memory => 1000, disk => 1}),
        {feed, Epoch, 1, _, _, _, First} = frame(Port),
        ?assert(length(First) < Waiting),
        ?FEED:committed(?HOST, Epoch, length(First)),
        receive
            published -> ok
        after 2000 -> ?assert(false)
        end,
        {feed, Epoch, _, _, _, _, _} = next_messages(Port),
        ?FEED:committed(?HOST, Epoch, Waiting),
        {feed, Epoch, _, _, _, _, [{<<"home/a/t">>, _, _, _, _}]} = next_messages(Port),
        ?assertMatch(#{dropped := Dropped}, info())
    end).

when_full_qos_1_waits_for_five_seconds_at_most_test_() ->
    {timeout, 20, fun() ->
        with_feed(#{memory => 1000, disk => 1}, fun(_) ->
            fill(0),
            #{dropped := Dropped, lost := Lost, waiting := Waiting} = info(),
            {Micros, ok} = timer:tc(fun() -> publish(<<"home/a/t">>, <<"1">>, 1) end),
            ?assert(Micros > 4500000 andalso Micros < 6500000),
            Expected = {Dropped + 1, Lost + 1, Waiting},
            #{dropped := D, lost := L, waiting := W} = info(),
            ?assertEqual(Expected, {D, L, W})
        end)
    end}.

the_mailbox_is_bounded_while_the_feed_is_stuck_test_() ->
    {timeout, 60, fun() ->
        with_feed(fun(#{feed := Feed}) ->
            ok = sys:suspend(Feed),
            Payload = binary:copy(<<"1">>, 100 * ?KB),
            [publish(<<"home/a/t">>, Payload) || _ <- lists:seq(1, 500)],
            {message_queue_len, Length} = process_info(Feed, message_queue_len),
            ?assert(Length < 100),
            ok = sys:resume(Feed),
            #{waiting := Waiting, lost := Lost} = info(),
            ?assertEqual(500, Waiting + Lost)
        end)
    end}.

what_is_dropped_although_the_queue_has_room_is_told_once_test_() ->
    {timeout, 60, fun() ->
        with_feed(fun(#{feed := Feed}) ->
            with_log(fun() ->
                ok = sys:suspend(Feed),
                Payload = binary:copy(<<"1">>, 100 * ?KB),
                [publish(<<"home/a/t">>, Payload) || _ <- lists:seq(1, 200)],
                ok = sys:resume(Feed),
                ?assert(maps:get(lost, info()) > 0),
                receive
                    {log, warning, Text} ->
                        ?assertNotEqual(nomatch, string:find(Text, "QoS 0 are dropped, the newest of home/a/t"))
                after 5000 -> ?assert(false)
                end,
                #{lost := Lost} = info(),
                ok = sys:suspend(Feed),
                [publish(<<"home/a/t">>, Payload) || _ <- lists:seq(1, 200)],
                ok = sys:resume(Feed),
                ?assert(maps:get(lost, info()) > Lost),
                receive
                    {log, warning, Again} -> ?assertEqual("", Again)
                after 0 -> ok
                end
            end)
        end)
    end}.

retained_messages_that_mod_mqtt_may_have_left_out_are_told_test() ->
    Retained = [
        {#publish{topic = <<"home/", N, "/t">>, payload = <<"1">>, retain = true}, ?NEVER} || N <- "abc"
    ],
    with_feed(#{start => later}, fun(_) ->
        with_log(fun() ->
            ?FAKE:load(?HOST, mod_mqtt, #{match_retained_limit => 3}),
            ?FAKE:retain(<<"home/+/t">>, Retained),
            {ok, Feed} = start_feed(),
            receive
                {log, warning, Text} -> ?assertNotEqual(nomatch, string:find(Text, "messages of home/+/t, as many"))
            after 5000 -> ?assert(false)
            end,
            ok = gen_server:stop(Feed),
            ?FAKE:load(?HOST, mod_mqtt, #{match_retained_limit => 4}),
            {ok, _} = start_feed(),
            until(fun(#{waiting := N}) -> N =:= 6 end),
            receive
                {log, warning, Other} -> ?assertEqual("", Other)
            after 0 -> ok
            end
        end)
    end).

retained_messages_are_read_at_the_start_and_for_new_filters_test() ->
    Retained = fun(Topic, Payload) -> #publish{topic = Topic, payload = Payload, retain = true, qos = 1} end,
    with_feed(#{start => later}, fun(#{dir := Dir}) ->
        ?FAKE:load(?HOST, mod_mqtt, #{match_retained_limit => 1000}),
        ?FAKE:retain(<<"home/+/t">>, [
            {Retained(<<"home/a/t">>, <<"1">>), ?NEVER},
            {Retained(<<"home/old/t">>, <<"2">>), 1},
            {Retained(<<"$home/b">>, <<"3">>), ?NEVER}
        ]),
        ?FAKE:retain(<<"garden/#">>, [{Retained(<<"garden/a">>, <<"4">>), ?NEVER}]),
        {ok, _} = start_feed(),
        until(fun(#{waiting := N}) -> N =:= 1 end),
        Port = connect(#{dir => Dir}),
        {feed, _, 1, _, 0, <<>>, [{<<"home/a/t">>, <<"1">>, _, 1, <<>>}]} = frame(Port),
        ?FEED:configure(?HOST, feed(#{dir => Dir, filters => [<<"garden/#">>, <<"home/+/t">>]})),
        until(fun(#{waiting := N}) -> N =:= 2 end),
        ?assertMatch(#{filters := 2}, info())
    end).

%% A process that has done this and ended.
ended(Do) ->
    {Pid, Ref} = spawn_monitor(Do),
    receive
        {'DOWN', Ref, process, Pid, normal} -> Pid
    end.

%% What is published meanwhile is sent to another process than the feed's.
send_to(Pid, Feed, Publish) ->
    Hook = persistent_term:get({?HOOK, ?HOST}),
    Elsewhere = [replace(Feed, Pid, Element) || Element <- tuple_to_list(Hook)],
    persistent_term:put({?HOOK, ?HOST}, list_to_tuple(Elsewhere)),
    Publish(),
    persistent_term:put({?HOOK, ?HOST}, Hook).

replace(Old, New, Old) -> New;
replace(_, _, Other) -> Other.
