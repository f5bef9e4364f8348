%% SPDX-License-Identifier: GPL-2.0-or-later

%% The hook and the process of the feed. The program is a `cat', which gives back what it was sent, or a
%% `sleep', which reads nothing.
-module(mod_mqtt_rollup_feed_tests).

-include_lib("eunit/include/eunit.hrl").
-include_lib("kernel/include/file.hrl").

-include("mqtt.hrl").

-define(HOST, <<"example.org">>).
-define(FAKE, mod_mqtt_rollup_fake_mqtt).
-define(FEED, mod_mqtt_rollup_feed).
-define(ALICE, {<<"alice">>, ?HOST, <<"phone">>}).
-define(NEVER, 4294967295).
-define(KB, 1024).

%%% The hook

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
        ok = ?FEED:mqtt_publish(?ALICE, #publish{topic = <<"home/hall/t">>, payload = <<"1">>}, 1),
        ?assertMatch(#{waiting := 0, seen := 3, wanted := 1, expired := 1, filters := 2}, info())
    end).

several_filters_make_one_message_test() ->
    with_feed(#{filters => [<<"home/+/t">>, <<"home/#">>, <<"#">>]}, fun(_) ->
        publish(<<"home/hall/t">>, <<"1">>),
        ?assertMatch(#{waiting := 1}, info())
    end).

our_own_publications_are_not_heard_test() ->
    with_feed(fun(_) ->
        {Pid, Ref} = spawn_monitor(fun() ->
            ?FEED:no_local(),
            publish(<<"home/hall/t">>, <<"1">>)
        end),
        receive
            {'DOWN', Ref, process, Pid, normal} -> ok
        end,
        ?assertMatch(#{waiting := 0, wanted := 0}, info())
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
            ?assertEqual(ok, ?FEED:mqtt_publish(USR, Publish, Expiry))
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

%%% The program

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
            {InfoMicros, Info} = timer:tc(fun info/0),
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

%%% Limits

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

%%% Retained messages

retained_messages_are_read_at_the_start_and_for_new_filters_test() ->
    Retained = fun(Topic, Payload) -> #publish{topic = Topic, payload = Payload, retain = true, qos = 1} end,
    with_feed(#{start => later}, fun(#{dir := Dir}) ->
        ?FAKE:load(?HOST, mod_mqtt, #{}),
        ?FAKE:retain(<<"home/+/t">>, [
            {Retained(<<"home/a/t">>, <<"1">>), ?NEVER},
            {Retained(<<"home/old/t">>, <<"2">>), 1},
            {Retained(<<"$home/b">>, <<"3">>), ?NEVER}
        ]),
        ?FAKE:retain(<<"garden/#">>, [{Retained(<<"garden/a">>, <<"4">>), ?NEVER}]),
        {ok, _} = start_feed(),
        until(fun(#{waiting := N}) -> N =:= 1 end),
        Port = connect(#{dir => Dir, filters => [<<"garden/#">>, <<"home/+/t">>]}),
        {feed, _, 1, _, 0, <<>>, [{<<"home/a/t">>, <<"1">>, _, 1, <<>>}]} = frame(Port),
        until(fun(#{waiting := N}) -> N =:= 2 end),
        ?assertMatch(#{filters := 2}, info())
    end).

%%% Start and stop

everything_is_kept_over_a_restart_test() ->
    with_feed(fun(#{feed := Feed, dir := Dir}) ->
        Port = connect(),
        publish(<<"home/a/t">>, <<"1">>),
        {feed, Epoch, 1, _, _, _, [_]} = frame(Port),
        publish(<<"home/a/t">>, <<"2">>),
        ok = gen_server:stop(Feed),
        ?assertEqual(none, persistent_term:get({?FEED, ?HOST}, none)),
        ?assertEqual(2, length(files(Dir))),
        {ok, #file_info{mode = Mode}} = file:read_file_info(Dir),
        ?assertEqual(8#700, Mode band 8#777),
        {ok, _} = start_feed(),
        ?assertMatch(#{waiting := 2}, info()),
        publish(<<"home/a/t">>, <<"3">>),
        Next = open("cat"),
        ?FEED:up(?HOST, Next, feed(#{})),
        ?FEED:committed(?HOST, Epoch, 1),
        {feed, Epoch, 2, _, _, _, [{_, <<"2">>, _, _, _}]} = frame(Next),
        {feed, Epoch, Third, _, _, _, [{_, <<"3">>, _, _, _}]} = frame(Next),
        ?FEED:committed(?HOST, Epoch, Third),
        until(fun(#{waiting := N}) -> N =:= 0 end),
        ?assertEqual([], files(Dir))
    end).

what_is_still_in_the_mailbox_is_kept_too_test() ->
    with_feed(fun(#{feed := Feed}) ->
        ok = sys:suspend(Feed),
        [publish(<<"home/a/t">>, <<"1">>) || _ <- lists:seq(1, 10)],
        ok = gen_server:stop(Feed),
        {ok, _} = start_feed(),
        ?assertMatch(#{waiting := 10}, info())
    end).

publishers_that_wait_at_the_end_are_answered_and_kept_test() ->
    with_feed(#{memory => 1000, disk => 1}, fun(#{feed := Feed}) ->
        fill(0),
        #{waiting := Waiting} = info(),
        Test = self(),
        Publish = fun() ->
            publish(<<"home/a/t">>, <<"1">>, 1),
            Test ! published
        end,
        spawn_link(Publish),
        until(fun(#{waited := N}) -> N =:= 1 end),
        %% The other one is still in the mailbox.
        ok = sys:suspend(Feed),
        Other = spawn_link(Publish),
        wait_for(fun() -> process_info(Other, status) =:= {status, waiting} end),
        ok = gen_server:stop(Feed),
        [
            receive
                published -> ok
            after 2000 -> ?assert(false)
            end
         || _ <- [1, 2]
        ],
        {ok, _} = start_feed(),
        ?assertMatch(#{waiting := N} when N =:= Waiting + 2, info())
    end).

damaged_and_unknown_files_are_moved_aside_test() ->
    with_feed(fun(#{feed := Feed, dir := Dir}) ->
        publish(<<"home/a/t">>, <<"1">>),
        ok = gen_server:stop(Feed),
        [Name] = files(Dir),
        {ok, Data} = file:read_file(filename:join(Dir, Name)),
        ok = file:write_file(filename:join(Dir, Name), binary:part(Data, 0, byte_size(Data) - 1)),
        ok = file:write_file(filename:join(Dir, "notes.txt"), <<"x">>),
        ok = file:write_file(filename:join(Dir, "half.frame.tmp"), <<"x">>),
        {ok, _} = start_feed(),
        publish(<<"home/a/t">>, <<"2">>),
        Port = connect(),
        {feed, _, _, _, 1, _, [{_, <<"2">>, _, _, _}]} = frame(Port),
        ?assertEqual(lists:sort([Name ++ ".aside", "notes.txt.aside"]), files(Dir))
    end).

files_follow_the_data_dir_test() ->
    with_feed(#{memory => 1, disk => 100000 * ?KB}, fun(#{dir := Dir}) ->
        [publish(<<"home/a/t">>, binary:copy(<<"1">>, 200 * ?KB)) || _ <- [1, 2, 3]],
        #{waiting := 3} = info(),
        ?assertEqual(2, length(files(Dir))),
        Other = Dir ++ "-moved",
        Port = connect(#{dir => Other, memory => 1, disk => 100000 * ?KB}),
        {feed, _, 1, _, _, _, [_]} = frame(Port),
        ?assertEqual([], files(Dir)),
        ?assertEqual(2, length(files(Other))),
        ?assertMatch(#{lost := 0, waiting := 3}, info())
    end).

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

a_disk_that_is_full_costs_nothing_that_is_in_memory_test() ->
    with_feed(#{memory => 1, disk => 100000 * ?KB}, fun(#{dir := Dir}) ->
        %% A file is where the directory should be.
        _ = file:del_dir_r(Dir),
        ok = file:write_file(Dir, <<>>),
        [publish(<<"home/a/t">>, binary:copy(<<"1">>, 200 * ?KB)) || _ <- [1, 2]],
        #{waiting := 2, disk_bytes := 0} = info(),
        Port = connect(#{dir => Dir, memory => 1, disk => 100000 * ?KB}),
        {feed, Epoch, 1, _, _, _, [_]} = frame(Port),
        ?FEED:committed(?HOST, Epoch, 1),
        {feed, Epoch, 2, _, _, _, [_]} = frame(Port),
        ok = file:delete(Dir)
    end).

a_module_that_starts_again_goes_on_with_the_same_feed_test() ->
    with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
        publish(<<"home/a/t">>, <<"1">>),
        ok = ?FEED:linger(?HOST),
        ?FAKE:unload(?HOST, mod_mqtt_rollup),
        publish(<<"home/a/t">>, <<"2">>),
        load(#{}),
        ok = mod_mqtt_rollup_feed_sup:start(?HOST),
        ?assertEqual(Feed, whereis(name(?FEED))),
        ?assertMatch(#{waiting := 2}, info())
    end).

a_feed_that_has_ended_takes_its_supervisor_with_it_and_can_be_started_again_test() ->
    with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
        publish(<<"home/a/t">>, <<"1">>),
        ok = gen_server:stop(Feed),
        ok = mod_mqtt_rollup_feed_sup:start(?HOST),
        ?assertNotEqual(Feed, whereis(name(?FEED))),
        ?assertMatch(#{waiting := 1}, info()),
        ok = mod_mqtt_rollup_feed_sup:stop(?HOST),
        ?assertEqual([], supervisor:which_children(ejabberd_gen_mod_sup)),
        ?assertEqual({error, unavailable}, ?FEED:info(?HOST))
    end).

a_feed_that_crashes_too_often_is_started_again_test() ->
    with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
        Sup = whereis(name(mod_mqtt_rollup_feed_sup)),
        ok = mod_mqtt_rollup_feed_sup:check(?HOST),
        ?assertEqual(Feed, whereis(name(?FEED))),
        Ref = monitor(process, Sup),
        crash_until_gone(Ref),
        ?assertEqual({error, unavailable}, ?FEED:info(?HOST)),
        ok = mod_mqtt_rollup_feed_sup:check(?HOST),
        wait_for(fun() -> element(1, ?FEED:info(?HOST)) =:= ok end),
        publish(<<"home/a/t">>, <<"1">>),
        ?assertMatch(#{waiting := 1}, info())
    end).

a_feed_of_a_module_that_is_gone_is_not_started_again_test() ->
    with_feed(#{start => later}, fun(_) ->
        ?FAKE:unload(?HOST, mod_mqtt_rollup),
        ok = mod_mqtt_rollup_feed_sup:check(?HOST),
        timer:sleep(100),
        ?assertEqual(undefined, whereis(name(mod_mqtt_rollup_feed_sup)))
    end).

a_feed_that_crashes_comes_back_and_asks_for_the_program_test() ->
    register(name(mod_mqtt_rollup_port), self()),
    try
        with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
            receive
                {'$gen_cast', feed_started} -> ok
            after 2000 -> ?assert(false)
            end,
            exit(Feed, kill),
            receive
                {'$gen_cast', feed_started} -> ok
            after 2000 -> ?assert(false)
            end,
            publish(<<"home/a/t">>, <<"1">>),
            ?assertMatch(#{waiting := 1}, info())
        end)
    after
        unregister(name(mod_mqtt_rollup_port))
    end.

%%% Helpers

with_feed(Test) ->
    with_feed(#{}, Test).

%% `start': linked (the default), supervised as by the module, or later.
with_feed(Options, Test) ->
    ?FAKE:start(),
    Base = string:trim(os:cmd("mktemp -d")),
    put(dir, filename:join(Base, "feed")),
    load(Options),
    Context = #{dir => get(dir)},
    Started =
        case maps:get(start, Options, linked) of
            linked ->
                {ok, Feed} = start_feed(),
                Context#{feed => Feed};
            supervised ->
                ok = mod_mqtt_rollup_feed_sup:start(?HOST),
                Context#{feed => whereis(name(?FEED))};
            later ->
                Context
        end,
    try
        Test(Started)
    after
        case {whereis(name(mod_mqtt_rollup_feed_sup)), whereis(name(?FEED))} of
            {undefined, undefined} -> ok;
            {undefined, Pid} -> gen_server:stop(Pid);
            _ -> mod_mqtt_rollup_feed_sup:stop(?HOST)
        end,
        [kill(Port) || Port <- erlang:ports(), erlang:port_info(Port, connected) =:= {connected, self()}],
        _ = file:del_dir_r(Base),
        _ = persistent_term:erase({?FEED, ?HOST}),
        ?FAKE:stop(),
        flush()
    end.

start_feed() ->
    ?FEED:start_link(?HOST).

%% The options of the module, as far as the feed looks at them.
load(Options) ->
    #{filters := Filters, memory := Memory, disk := Disk, payload := Payload} = feed(Options),
    ?FAKE:load(?HOST, mod_mqtt_rollup, #{
        brokers => [],
        streams => [{Filter, #{topic => Filter}} || Filter <- Filters],
        limits => #{queue_memory => Memory, queue_disk => Disk, payload => Payload},
        data_dir => filename:dirname(get(dir))
    }).

feed(Options) ->
    maps:merge(
        #{
            filters => [<<"home/+/t">>, <<"wrong/#/filter">>, <<"zigbee/#">>],
            dir => get(dir),
            memory => 1000 * 1000 * ?KB,
            disk => 1000 * 1000 * ?KB,
            payload => 256 * ?KB
        },
        maps:with([filters, dir, memory, disk, payload], Options)
    ).

publish(Topic, Payload) ->
    publish(Topic, Payload, 0).

publish(Topic, Payload, Qos) ->
    ok = ?FEED:mqtt_publish(?ALICE, #publish{topic = Topic, payload = Payload, qos = Qos}, ?NEVER).

%% Until something is dropped.
fill(Before) ->
    publish(<<"home/full/t">>, binary:copy(<<"1">>, 100)),
    case info() of
        #{dropped := Before} -> fill(Before);
        _ -> ok
    end.

info() ->
    {ok, Info} = ?FEED:info(?HOST),
    Info.

%% The state of the feed changes with messages of others, so it has to be asked.
until(Claim) ->
    until(Claim, now_ms() + 10000).

until(Claim, Deadline) ->
    Info = info(),
    case Claim(Info) of
        true ->
            Info;
        false ->
            ?assert(now_ms() < Deadline),
            timer:sleep(10),
            until(Claim, Deadline)
    end.

%% A program that has nothing in its history; its first frame is taken off if it is a heartbeat.
connect() ->
    connect(#{}).

connect(Options) ->
    #{waiting := Waiting} = info(),
    Port = open("cat"),
    ?FEED:up(?HOST, Port, feed(Options)),
    ?FEED:committed(?HOST, 0, 0),
    Waiting =:= 0 andalso ?assertMatch({feed, _, _, _, _, _, []}, frame(Port)),
    Port.

open(Program) ->
    Args =
        case Program of
            "cat" -> [];
            "sleep" -> ["60"]
        end,
    open_port({spawn_executable, os:find_executable(Program)}, [{packet, 4}, binary, {args, Args}]).

kill(Port) ->
    case erlang:port_info(Port, os_pid) of
        {os_pid, OsPid} ->
            catch port_close(Port),
            mod_mqtt_rollup_program:kill(OsPid);
        undefined ->
            ok
    end.

%% Without the first frame of a run.
frame(Port) ->
    case any_frame(Port) of
        {feed_since, _} -> any_frame(Port);
        Frame -> Frame
    end.

any_frame(Port) ->
    receive
        {Port, {data, Bin}} -> binary_to_term(Bin)
    after 5000 -> none
    end.

%% The next frame that is no heartbeat.
next_messages(Port) ->
    case frame(Port) of
        {feed, _, _, _, _, _, []} -> next_messages(Port);
        Frame -> Frame
    end.

%% Commits everything that comes until there were so many; gives the numbers.
read_all(Port, Count) ->
    read_all(Port, Count, []).

read_all(_, 0, Numbers) ->
    lists:append(lists:reverse(Numbers));
read_all(Port, Count, Numbers) ->
    {feed, Epoch, First, _, 0, _, Messages} = next_messages(Port),
    Last = First + length(Messages) - 1,
    ?FEED:committed(?HOST, Epoch, Last),
    read_all(Port, Count - length(Messages), [lists:seq(First, Last) | Numbers]).

files(Dir) ->
    case file:list_dir(Dir) of
        {ok, Names} -> lists:sort(Names);
        {error, enoent} -> []
    end.

crash_until_gone(Ref) ->
    catch exit(whereis(name(?FEED)), kill),
    receive
        {'DOWN', Ref, process, _, _} -> ok
    after 10 -> crash_until_gone(Ref)
    end.

wait_for(Claim) ->
    Claim() orelse
        begin
            timer:sleep(10),
            wait_for(Claim)
        end.

flush() ->
    receive
        _ -> flush()
    after 0 -> ok
    end.

name(Module) ->
    gen_mod:get_module_proc(?HOST, Module).

now_ms() ->
    os:system_time(millisecond).
