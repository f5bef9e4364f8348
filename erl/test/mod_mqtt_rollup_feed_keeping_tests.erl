%% SPDX-License-Identifier: GPL-2.0-or-later

%% What of a feed is in files, and what outlives it.
-module(mod_mqtt_rollup_feed_keeping_tests).

-include_lib("eunit/include/eunit.hrl").
-include_lib("kernel/include/file.hrl").

-import(mod_mqtt_rollup_feed_fixture, [
    with_feed/1, with_feed/2, start_feed/0, feed/1, publish/2, publish/3, fill/1, info/0, until/1,
    connect/0, connect/1, open/1, frame/1, files/1, wait_for/1
]).

-define(HOST, <<"example.org">>).
-define(FEED, mod_mqtt_rollup_feed).
-define(KB, 1024).

everything_is_kept_over_a_restart_test() ->
    with_feed(fun(#{feed := Feed, dir := Dir}) ->
        Port = connect(),
        publish(<<"home/a/t">>, <<"1">>),
        {feed, Epoch, 1, _, _, _, [_]} = frame(Port),
        publish(<<"home/a/t">>, <<"2">>),
        ok = gen_server:stop(Feed),
        ?assertEqual(none, persistent_term:get({mod_mqtt_rollup_feed_hook, ?HOST}, none)),
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

what_comes_while_everything_is_written_down_is_kept_too_test_() ->
    {timeout, 30, fun() ->
        with_feed(fun(#{feed := Feed, dir := Dir}) ->
            %% A frame each, so that it takes a while.
            Big = binary:copy(<<"1">>, 256 * ?KB),
            lists:foreach(
                fun(N) ->
                    publish(<<"home/a/t">>, Big),
                    ?assertMatch(#{waiting := N}, info())
                end,
                lists:seq(1, 200)
            ),
            %% As a publisher that was interrupted within the hook.
            Late = spawn_link(fun() ->
                wait_for(fun() -> files(Dir) =/= [] end),
                Feed ! {publish, {<<"home/a/t">>, <<"late">>, 0, 0, <<>>}, 50}
            end),
            Monitor = monitor(process, Late),
            ok = gen_server:stop(Feed),
            receive {'DOWN', Monitor, _, _, _} -> ok end,
            {ok, _} = start_feed(),
            ?assertMatch(#{waiting := 201}, info())
        end)
    end}.

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

publishers_wait_while_a_feed_is_handed_over_to_another_one_test() ->
    with_feed(fun(#{feed := Feed}) ->
        publish(<<"home/a/t">>, <<"1">>),
        ok = ?FEED:hand_over(?HOST),
        ok = gen_server:stop(Feed),
        publish(<<"nobody/wants/this">>, <<"1">>),
        Publisher = spawn_link(fun() -> publish(<<"home/a/t">>, <<"2">>) end),
        Monitor = monitor(process, Publisher),
        wait_for(fun() -> process_info(Publisher, current_function) =:= {current_function, {timer, sleep, 1}} end),
        {ok, _} = start_feed(),
        receive {'DOWN', Monitor, _, _, Reason} -> ?assertEqual(normal, Reason) end,
        ?assertMatch(#{waiting := 2}, info())
    end).

a_message_that_ends_the_program_each_time_is_left_out_told_and_kept_test() ->
    with_feed(fun(#{feed := Feed, dir := Dir}) ->
        [publish(<<"home/a/t">>, Payload) || Payload <- [<<"1">>, <<"deadly">>, <<"3">>]],
        ?assertMatch(#{waiting := 3}, info()),
        %% Three with all of them, one with two, and one with that one.
        run_until_left_out(Feed, 5),
        #{lost := 1, waiting := 0} = until(fun(#{waiting := N}) -> N =:= 0 end),
        [Name] = files(Dir),
        ?assertEqual(".aside", filename:extension(Name)),
        {ok, Bin} = mod_mqtt_rollup_feed_files:read(Dir, Name),
        ?assertMatch({feed, _, 2, _, 0, _, [{<<"home/a/t">>, <<"deadly">>, _, _, _}]}, binary_to_term(Bin))
    end).

%% A program that commits everything but ends at one message; how often it may.
run_until_left_out(Feed, Runs) ->
    Port = open("cat"),
    ?FEED:up(?HOST, Port, feed(#{})),
    ?FEED:committed(?HOST, 0, 0),
    case take(Port) of
        ended when Runs > 0 ->
            true = port_close(Port),
            ?FEED:down(?HOST),
            ?FEED:crashed(?HOST),
            _ = sys:get_state(Feed),
            run_until_left_out(Feed, Runs - 1);
        done ->
            ok
    end.

take(Port) ->
    case frame(Port) of
        {feed, _, _, _, _, _, []} ->
            take(Port);
        {feed, Epoch, First, _, _, _, Messages} ->
            Payloads = [Payload || {_, Payload, _, _, _} <- Messages],
            Last = First + length(Messages) - 1,
            case {lists:member(<<"deadly">>, Payloads), lists:last(Payloads)} of
                {true, _} ->
                    ended;
                {false, <<"3">>} ->
                    ?FEED:committed(?HOST, Epoch, Last),
                    done;
                {false, _} ->
                    ?FEED:committed(?HOST, Epoch, Last),
                    take(Port)
            end
    end.
