%% SPDX-License-Identifier: GPL-2.0-or-later

%% The process of the feed and the program.
-module(mod_mqtt_rollup_feed_tests).

-include_lib("eunit/include/eunit.hrl").

-import(mod_mqtt_rollup_feed_fixture, [
    with_feed/1, with_feed/2, start_feed/0, feed/1, publish/2, publish/3, info/0, until/1,
    connect/0, open/1, kill/1, frame/1, any_frame/1, next_messages/1, read_all/2, files/1, now_ms/0
]).

-define(HOST, <<"example.org">>).
-define(FEED, mod_mqtt_rollup_feed).
-define(KB, 1024).

a_program_is_told_at_once_how_far_it_may_go_test() ->
    with_feed(fun(_) ->
        Before = now_ms(),
        Port = open("cat"),
        ?FEED:up(?HOST, Port, feed(#{})),
        ?FEED:committed(?HOST, 0, 0),
        {feed, _, 1, UpTo, 0, <<>>, []} = frame(Port),
        ?assert(UpTo >= Before),
        %% And again each second.
        {feed, _, 1, Next, 0, <<>>, []} = frame(Port),
        ?assert(Next > UpTo)
    end).

each_run_is_told_first_since_when_messages_are_collected_test() ->
    Before = now_ms(),
    with_feed(fun(#{feed := Feed, dir := Dir}) ->
        publish(<<"home/a/t">>, <<"1">>),
        After = now_ms(),
        Run = fun() ->
            Port = open("cat"),
            ?FEED:up(?HOST, Port, feed(#{dir => Dir})),
            ?FEED:committed(?HOST, 0, 0),
            {feed_since, Since} = any_frame(Port),
            {feed, _, _, _, _, _, [_]} = any_frame(Port),
            %% A reload begins no run.
            ?FEED:up(?HOST, Port, feed(#{dir => Dir})),
            ?FEED:committed(?HOST, 0, 0),
            {feed, _, _, _, _, _, []} = any_frame(Port),
            ?FEED:down(?HOST),
            Since
        end,
        First = Run(),
        ?assert(First >= Before - 1 andalso First =< After + 1),
        timer:sleep(50),
        ok = ?FEED:linger(?HOST),
        ok = ?FEED:adopt(?HOST),
        ?assert(abs(Run() - First) =< 5),
        %% Files of an earlier life say nothing about the time between.
        ok = gen_server:stop(Feed),
        {ok, _} = start_feed(),
        ?assert(Run() >= First + 40)
    end).

a_program_whose_owner_crashes_is_gone_test() ->
    with_feed(fun(_) ->
        Test = self(),
        Owner = spawn(fun() ->
            Port = open("cat"),
            Test ! {port, Port},
            receive
                crash -> exit({badkey, key})
            end
        end),
        Port = receive {port, Opened} -> Opened end,
        ?FEED:up(?HOST, Port, feed(#{})),
        ?FEED:committed(?HOST, 0, 0),
        ?assertMatch(#{connected := true}, info()),
        Owner ! crash,
        until(fun(#{connected := IsConnected}) -> not IsConnected end)
    end).

a_feed_that_was_off_collects_since_it_is_on_again_test() ->
    with_feed(fun(_) ->
        Port = open("cat"),
        ?FEED:up(?HOST, Port, feed(#{})),
        ?FEED:committed(?HOST, 0, 0),
        {feed_since, First} = any_frame(Port),
        ?FEED:off(?HOST),
        _ = info(),
        timer:sleep(50),
        Next = open("cat"),
        ?FEED:up(?HOST, Next, feed(#{})),
        ?FEED:committed(?HOST, 0, 0),
        {feed_since, Second} = any_frame(Next),
        ?assert(Second >= First + 40)
    end).

what_is_not_committed_is_sent_to_the_next_run_test() ->
    with_feed(fun(_) ->
        Port1 = connect(),
        publish(<<"home/a/t">>, <<"1">>),
        {feed, Epoch, 1, _, _, _, [_]} = frame(Port1),
        publish(<<"home/a/t">>, <<"2">>),
        ?FEED:committed(?HOST, Epoch, 1),
        {feed, Epoch, 2, _, _, _, [_]} = frame(Port1),
        ?FEED:down(?HOST),
        port_close(Port1),
        publish(<<"home/a/t">>, <<"3">>),
        Port2 = open("cat"),
        ?FEED:up(?HOST, Port2, feed(#{})),
        ?FEED:committed(?HOST, Epoch, 1),
        {feed, Epoch, 2, _, _, _, [{_, <<"2">>, _, _, _}]} = frame(Port2),
        {feed, Epoch, 3, _, _, _, [{_, <<"3">>, _, _, _}]} = frame(Port2),
        ?FEED:committed(?HOST, Epoch, 3),
        ?assertMatch(#{waiting := 0, committed := 3, lost := 0}, info())
    end).

a_port_that_closes_by_itself_is_noticed_test() ->
    with_feed(fun(_) ->
        Port = connect(),
        port_close(Port),
        publish(<<"home/a/t">>, <<"1">>),
        until(fun(#{connected := IsConnected}) -> not IsConnected end),
        ?assertMatch(#{waiting := 1}, info())
    end).

a_program_that_does_not_read_disturbs_nobody_test_() ->
    {timeout, 60, fun() ->
        with_feed(#{memory => 2000 * ?KB, disk => 100000 * ?KB}, fun(#{feed := Feed, dir := Dir}) ->
            Port = open("sleep"),
            ?FEED:up(?HOST, Port, feed(#{memory => 2000 * ?KB, disk => 100000 * ?KB, dir => Dir})),
            ?FEED:committed(?HOST, 0, 0),
            Payload = binary:copy(<<"1">>, 20 * ?KB),
            {Micros, _} = timer:tc(fun() -> [publish(<<"home/a/t">>, Payload, 1) || _ <- lists:seq(1, 1000)] end),
            ?assert(Micros < 10000000),
            {InfoMicros, Info} = timer:tc(fun() -> info() end),
            ?assert(InfoMicros < 2000000),
            #{waiting := 1000, memory_bytes := Memory, disk_bytes := Disk, lost := 0} = Info,
            ?assert(Memory < 7000 * ?KB),
            ?assert(Disk > 10000 * ?KB),
            {reductions, Before} = process_info(Feed, reductions),
            timer:sleep(3000),
            {reductions, After} = process_info(Feed, reductions),
            ?assert(After - Before < 200000),
            ?assertMatch({message_queue_len, N} when N < 10, process_info(Feed, message_queue_len)),
            ?FEED:down(?HOST),
            kill(Port),
            %% A program that reads gets all of them.
            Reader = open("cat"),
            ?FEED:up(?HOST, Reader, feed(#{memory => 2000 * ?KB, disk => 100000 * ?KB, dir => Dir})),
            ?FEED:committed(?HOST, 0, 0),
            ?assertEqual(lists:seq(1, 1000), read_all(Reader, 1000)),
            until(fun(#{waiting := Waiting}) -> Waiting =:= 0 end),
            ?assertEqual([], files(Dir))
        end)
    end}.

without_the_link_nothing_is_collected_test() ->
    with_feed(#{memory => 1, disk => 100000 * ?KB}, fun(#{dir := Dir}) ->
        [publish(<<"home/a/t">>, binary:copy(<<"1">>, 200 * ?KB)) || _ <- [1, 2]],
        #{waiting := 2} = info(),
        ?FEED:off(?HOST),
        publish(<<"home/a/t">>, <<"1">>),
        ?assertMatch(#{waiting := 0, filters := 0}, info()),
        ?assertEqual([], files(Dir)),
        %% And again with it.
        Port = connect(),
        publish(<<"home/a/t">>, <<"2">>),
        {feed, _, 1, _, 0, _, [{_, <<"2">>, _, _, _}]} = next_messages(Port)
    end).
