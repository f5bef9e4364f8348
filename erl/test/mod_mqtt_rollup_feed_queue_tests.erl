%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_feed_queue_tests).

-include_lib("eunit/include/eunit.hrl").

-define(Q, mod_mqtt_rollup_feed_queue).
-define(ROOMY, #{memory => 64 * 1024 * 1024, disk => 1024 * 1024 * 1024}).
-define(KB, 1024).

%%% Sending

a_first_message_goes_out_at_once_test() ->
    {[Frame], Q} = sent(add([m(1)], connected())),
    ?assertEqual({feed, 7, 1, 1001, 0, <<>>, [m(1)]}, Frame),
    ?assertMatch(#{messages := 1, since := 1001}, ?Q:info(Q)).

what_comes_before_the_commit_is_collected_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {[], Q2} = sent(add([m(2), m(3)], Q1)),
    {[Frame], _} = sent(commit(1, Q2)),
    ?assertEqual({feed, 7, 2, 1003, 0, <<>>, [m(2), m(3)]}, Frame).

a_full_batch_does_not_wait_for_the_commit_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {Frames, _} = sent(add([m(N) || N <- lists:seq(2, 1002)], Q1)),
    ?assertEqual([{2, 1000}], [{First, length(Ms)} || {feed, _, First, _, _, _, Ms} <- Frames]).

a_batch_ends_before_it_gets_too_large_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {[Frame], _} = sent(add([m(2, 150 * ?KB), m(3, 150 * ?KB)], Q1)),
    ?assertMatch({feed, _, 2, 1002, _, _, [_]}, Frame).

a_larger_message_goes_alone_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {Frames, _} = sent(add([m(2), m(3, 300 * ?KB), m(4)], Q1)),
    ?assertEqual([[2], [3]], [ids(Frame) || Frame <- Frames]).

the_window_has_eight_frames_test() ->
    {Frames, Q1} = sent(add([m(N, 300 * ?KB) || N <- lists:seq(1, 12)], connected())),
    ?assertEqual(8, length(Frames)),
    {More, _} = sent(commit(3, Q1)),
    ?assertEqual([[9], [10], [11]], [ids(Frame) || Frame <- More]).

the_window_has_four_megabytes_or_one_frame_test() ->
    {Frames, Q1} = sent(add([m(N, 3000 * ?KB) || N <- lists:seq(1, 3)], connected())),
    ?assertEqual([[1]], [ids(Frame) || Frame <- Frames]),
    {[Huge], _} = sent(commit(3, add([m(4, 5000 * ?KB)], element(2, sent(commit(2, Q1)))))),
    ?assertEqual([4], ids(Huge)).

messages_that_come_together_are_put_as_those_that_come_one_by_one_test_() ->
    {timeout, 60, fun() ->
        lists:foreach(
            fun(Seed) ->
                rand:seed(exsss, Seed),
                Sizes = [2, 2, 2, 100, 30 * ?KB, 200 * ?KB, 300 * ?KB],
                Messages = [
                    setelement(3, m(N, pick(Sizes)), 1000 + rand:uniform(10))
                 || N <- lists:seq(1, pick([1, 5, 2500]))
                ],
                Q = limited(400 * ?KB, 1000 * ?KB),
                ?assertEqual({Seed, add_all(Messages, Q)}, {Seed, ?Q:add(Messages, Q)})
            end,
            lists:seq(1, 20)
        )
    end}.

a_clock_that_was_ahead_in_an_earlier_run_does_not_hold_the_times_of_the_next_test() ->
    {send, _, Q1} = ?Q:heartbeat(9000000, connected()),
    Message = fun(Id, Ms) -> {integer_to_binary(Id), <<"1">>, Ms, 0, <<>>} end,
    {[{feed, _, _, 9000000, _, _, [{_, _, 9000000, _, _}]}], Q2} = sent(add([Message(1, 5000)], Q1)),
    Q3 = commit(1, ?Q:up(6000, ?Q:down(Q2))),
    {[{feed, _, _, 7000, _, _, [{_, _, 7000, _, _}]}], _} = sent(add([Message(2, 7000)], Q3)).

a_busy_port_changes_nothing_test() ->
    Q = add([m(1)], connected()),
    {send, First, all, _} = ?Q:next(Q),
    ?assertMatch({send, First, all, _}, ?Q:next(Q)).

an_open_batch_can_be_sent_without_waiting_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {[Frame], _} = sent(?Q:flush(add([m(2)], Q1))),
    ?assertEqual([2], ids(Frame)).

nothing_is_sent_before_the_program_has_said_where_it_stands_test() ->
    Q = add([m(1)], queue()),
    ?assertEqual(nothing, ?Q:next(Q)),
    ?assertEqual(nothing, ?Q:next(up(Q))),
    ?assertEqual(nothing, ?Q:heartbeat(5000, up(Q))),
    {[_], _} = sent(commit(0, 0, up(Q))).

%%% Commits and runs

what_is_committed_is_forgotten_test() ->
    {_, Q1} = sent(add([m(1), m(2)], connected())),
    ?assertMatch(#{messages := 0, memory := 0, since := none, committed := 2}, ?Q:info(commit(2, Q1))).

half_a_frame_is_sent_again_whole_test() ->
    {[_], Q1} = sent(add([m(1), m(2)], queue_with_batch())),
    {[Frame], _} = sent(commit(1, up(Q1))),
    ?assertEqual([1, 2], ids(Frame)).

a_new_run_gets_what_the_last_one_did_not_commit_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {[_], Q2} = sent(commit(1, add([m(2)], Q1))),
    {[Again, _], _} = sent(commit(1, up(add([m(3)], ?Q:down(Q2))))),
    ?assertEqual([2], ids(Again)).

a_run_with_another_history_gets_everything_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {[Again], _} = sent(commit(99, 1000, up(Q1))),
    ?assertEqual([1], ids(Again)).

numbers_that_the_program_knows_are_not_used_again_test() ->
    {[Frame], _} = sent(add([m(1)], commit(41, up(queue())))),
    ?assertMatch({feed, 7, 42, _, _, _, _}, Frame).

a_commit_without_a_run_means_nothing_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    ?assertMatch(#{messages := 1}, ?Q:info(commit(1, ?Q:down(Q1)))).

%%% Time

a_heartbeat_says_how_far_it_is_test() ->
    {send, Bin, _} = ?Q:heartbeat(5000, connected()),
    ?assertEqual({feed, 7, 1, 5000, 0, <<>>, []}, binary_to_term(Bin)).

a_heartbeat_does_not_overtake_messages_test() ->
    Q = add([m(1)], connected()),
    ?assertEqual(nothing, ?Q:heartbeat(5000, Q)),
    {_, Q1} = sent(Q),
    ?assertMatch({send, _, _}, ?Q:heartbeat(5000, Q1)).

what_arrived_before_a_promise_is_put_after_it_test() ->
    {send, _, Q1} = ?Q:heartbeat(5000, connected()),
    {[Frame], _} = sent(add([{<<"t">>, <<>>, 4990, 0, <<>>}], Q1)),
    ?assertMatch({feed, _, _, 5000, _, _, [{_, _, 5000, _, _}]}, Frame).

a_clock_that_was_set_back_breaks_no_promise_test() ->
    {send, _, Q1} = ?Q:heartbeat(5000000, connected()),
    {send, Bin, Q2} = ?Q:heartbeat(1000, Q1),
    ?assertMatch({feed, _, _, 5000000, _, _, []}, binary_to_term(Bin)),
    {[Frame], _} = sent(add([m(1)], Q2)),
    ?assertMatch({feed, _, _, 5000000, _, _, [{_, _, 5000000, _, _}]}, Frame).

%%% Limits

above_the_memory_limit_frames_go_to_files_test() ->
    {Q, Effects} = add_all([m(N, 300 * ?KB) || N <- [1, 2, 3]], limited(700 * ?KB, 1000 * ?KB)),
    [{write, Name, Bin}] = Effects,
    ?assertMatch({feed, 7, 3, _, _, _, [_]}, binary_to_term(Bin)),
    ?assertMatch({ok, 7, 3, 3}, ?Q:parse_name(Name)),
    ?assertEqual([Name], ?Q:files(Q)),
    ?assertMatch(#{messages := 3, disk := Size} when Size =:= byte_size(Bin), ?Q:info(Q)),
    {[_, _, {file, Name}], Q1} = sent(commit(0, 0, up(Q))),
    {_, [{delete, Name}]} = ?Q:committed(7, 3, Q1).

there_is_no_room_when_memory_and_files_are_full_test() ->
    Q0 = limited(300 * ?KB, 300 * ?KB),
    {Q1, _} = add_all([m(1, 300 * ?KB)], Q0),
    ?assert(?Q:has_room(Q1)),
    {Q2, _} = add_all([m(2, 300 * ?KB)], Q1),
    ?assertNot(?Q:has_room(Q2)),
    {_, Q3} = sent(commit(0, 0, up(Q2))),
    {Q4, _} = ?Q:committed(7, 1, Q3),
    ?assert(?Q:has_room(Q4)).

after_three_crashes_messages_go_by_one_two_four_until_all_of_that_frame_is_committed_test() ->
    Q1 = crashes(2, add([m(N) || N <- lists:seq(1, 5)], connected())),
    {[Whole], _} = sent(Q1),
    ?assertEqual([1, 2, 3, 4, 5], ids(Whole)),
    Q2 = crashes(1, Q1),
    {[First], Q3} = sent(add([m(6)], Q2)),
    ?assertMatch({feed, 7, 1, 1001, 0, _, [_]}, First),
    ?assertEqual(nothing, ?Q:heartbeat(5000, Q3)),
    {[Second], Q4} = sent(commit(1, Q3)),
    ?assertMatch({feed, 7, 2, 1003, 0, _, [_, _]}, Second),
    {[], Q5} = sent(commit(2, Q4)),
    {[Third], Q6} = sent(commit(3, Q5)),
    ?assertEqual([4, 5], ids(Third)),
    {[Rest], Q7} = sent(add([m(7)], commit(5, Q6))),
    ?assertEqual([6, 7], ids(Rest)),
    ?assertMatch(#{messages := 0, memory := 0}, ?Q:info(commit(7, Q7))).

after_a_crash_at_a_part_of_a_frame_messages_go_one_by_one_again_test() ->
    Q1 = crashes(3, add([m(1), m(2), m(3)], connected())),
    {[_], Q2} = sent(Q1),
    {[Two], Q3} = sent(commit(1, Q2)),
    ?assertEqual([2, 3], ids(Two)),
    {[One], _} = sent(commit(1, up(?Q:crashed(?Q:down(Q3))))),
    ?assertEqual([2], ids(One)).

a_message_that_ends_six_runs_in_a_row_is_skipped_and_no_other_test() ->
    Q1 = crashes(3, add([m(1), m(2), m(3)], connected())),
    {[_], Q2} = sent(Q1),
    Q3 = crashes(6, commit(1, Q2)),
    {skip, {memory, Bin}, 2} = ?Q:next(Q3),
    {[{<<"2">>, _, _, _, _}], 0, Alone} = ?Q:part(2, 2, Bin),
    ?assertMatch({feed, 7, 2, 1002, 0, _, [_]}, binary_to_term(Alone)),
    {Q4, []} = ?Q:skip(2, 0, Q3),
    {[Third], Q5} = sent(Q4),
    ?assertEqual([3], ids(Third)),
    ?assertMatch(#{messages := 0, memory := 0}, ?Q:info(commit(3, Q5))).

the_last_message_of_a_frame_is_skipped_with_the_frame_test() ->
    Q1 = crashes(6, add([m(1)], connected())),
    {skip, _, 1} = ?Q:next(Q1),
    {Q2, []} = ?Q:skip(1, 0, Q1),
    ?assertMatch(#{messages := 0, memory := 0}, ?Q:info(Q2)),
    {[Frame], _} = sent(add([m(2)], Q2)),
    ?assertMatch({feed, 7, 2, _, _, _, [_]}, Frame).

only_one_message_is_skipped_until_something_is_committed_test() ->
    Q1 = crashes(6, add([m(1), m(2), m(3)], connected())),
    {Q2, []} = ?Q:skip(1, 0, Q1),
    Q3 = crashes(20, Q2),
    {[Second], Q4} = sent(Q3),
    ?assertEqual([2], ids(Second)),
    ?assertMatch({skip, _, 3}, ?Q:next(crashes(6, commit(2, Q4)))).

what_the_frame_of_a_skipped_message_had_to_tell_is_told_by_the_next_one_test() ->
    Q1 = crashes(6, add([m(1)], ?Q:lost(5, <<"t">>, connected()))),
    {skip, {memory, Bin}, 1} = ?Q:next(Q1),
    {[_], 5, _} = ?Q:part(1, 1, Bin),
    {Q2, []} = ?Q:skip(1, 5, ?Q:lost(1, <<"t">>, Q1)),
    {[Frame], Q3} = sent(add([m(2)], Q2)),
    ?assertMatch({feed, 7, 2, _, 6, _, [_]}, Frame),
    ?assertMatch(#{lost := 6}, ?Q:info(Q3)).

runs_that_commit_something_were_sent_nothing_or_did_not_crash_do_not_count_test() ->
    Q1 = crashes(2, add([m(1), m(2)], connected())),
    {[_], Q2} = sent(Q1),
    Q3 = commit(0, up(?Q:crashed(?Q:down(commit(1, Q2))))),
    {[Whole], _} = sent(Q3),
    ?assertEqual([1, 2], ids(Whole)),
    Q4 = lists:foldl(fun(_, Q) -> commit(0, up(?Q:crashed(?Q:down(Q)))) end, Q3, lists:seq(1, 10)),
    Q5 = lists:foldl(
        fun(_, Q) ->
            {[_], Sent} = sent(Q),
            commit(0, up(?Q:down(Sent)))
        end,
        Q4,
        lists:seq(1, 10)
    ),
    {[Again], _} = sent(Q5),
    ?assertEqual([1, 2], ids(Again)).

what_was_lost_is_told_with_the_next_frame_once_test() ->
    Q = ?Q:lost(2, <<"b">>, ?Q:lost(1, <<"a">>, connected())),
    {[Frame], Q1} = sent(add([m(1)], Q)),
    ?assertMatch({feed, _, 1, _, 3, <<"b">>, [_]}, Frame),
    {[Next], _} = sent(add([m(2)], commit(1, Q1))),
    ?assertMatch({feed, _, 2, _, 0, <<>>, [_]}, Next),
    ?assertMatch(#{lost := 3}, ?Q:info(Q1)).

what_was_lost_is_told_by_a_heartbeat_test() ->
    {send, Bin, Q} = ?Q:heartbeat(5000, ?Q:lost(2, <<"a">>, connected())),
    ?assertMatch({feed, _, 1, 5000, 2, <<"a">>, []}, binary_to_term(Bin)),
    {send, Next, _} = ?Q:heartbeat(6000, Q),
    ?assertMatch({feed, _, 1, 6000, 0, <<>>, []}, binary_to_term(Next)).

%%% Files

a_file_that_cannot_be_written_stays_in_memory_test() ->
    {Q1, [{write, Name, Bin}]} = add_all([m(1, 300 * ?KB), m(2, 300 * ?KB)], limited(400 * ?KB, 900 * ?KB)),
    Q2 = ?Q:unwritten(Name, Bin, Q1),
    ?assertMatch(#{disk := 0, messages := 2}, ?Q:info(Q2)),
    ?assertNot(?Q:has_room(Q2)),
    {Q3, [{write, Name, Bin}]} = ?Q:writable(Q2),
    ?assert(?Q:has_room(Q3)),
    {[_, Second], _} = sent(commit(0, 0, up(Q2))),
    ?assertEqual([2], ids(Second)),
    {[_, {file, Name}], _} = sent(commit(0, 0, up(Q3))).

memory_does_not_grow_while_files_fail_test() ->
    Add = fun(N, Q) ->
        case ?Q:has_room(Q) of
            true -> add_all([m(N, 300 * ?KB)], Q);
            false -> {Q, []}
        end
    end,
    Fail = fun({Q, Effects}) ->
        lists:foldl(fun({write, Name, Bin}, Q1) -> ?Q:unwritten(Name, Bin, Q1) end, Q, Effects)
    end,
    Q = lists:foldl(fun(N, Q1) -> Fail(?Q:writable(Fail(Add(N, Q1)))) end, limited(1, 900 * ?KB), lists:seq(1, 50)),
    ?assertMatch(#{messages := 1}, ?Q:info(Q)).

a_file_that_cannot_be_read_is_lost_and_told_test() ->
    {Q1, [{write, Name, _} | _]} = add_all([m(N, 300 * ?KB) || N <- [1, 2]], limited(1, 900 * ?KB)),
    Q2 = ?Q:unreadable(Name, Q1),
    ?assertMatch(#{messages := 1, lost := 1}, ?Q:info(Q2)),
    {[{file, Other}], _} = sent(commit(0, 0, up(Q2))),
    ?assertMatch({ok, 7, 2, 2}, ?Q:parse_name(Other)).

the_end_writes_everything_that_is_not_committed_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    Q2 = add([m(2)], Q1),
    ?assertEqual([[1], [2]], [ids(binary_to_term(Bin)) || {write, _, Bin} <- element(2, ?Q:close(Q2))]).

a_queue_that_is_closed_again_has_only_what_is_new_test() ->
    {Q1, [{write, First, _}]} = ?Q:close(add([m(1)], queue())),
    ?assertMatch(#{messages := 1, memory := 0}, ?Q:info(Q1)),
    ?assertMatch({_, []}, ?Q:close(Q1)),
    {_, [{write, Second, Bin}]} = ?Q:close(add([m(2)], Q1)),
    ?assertEqual([2], ids(binary_to_term(Bin))),
    {Q2, []} = ?Q:restore([{Name, 1, 5} || Name <- [First, Second]], 8, 1, #{memory => 1, disk => 1}),
    ?assertMatch(#{messages := 2}, ?Q:info(Q2)).

files_are_read_again_in_order_and_the_epoch_goes_on_test() ->
    Files = [{Name, byte_size(Bin), 5} || {write, Name, Bin} <- element(2, ?Q:close(add([m(1)], queue())))],
    {Q, []} = ?Q:restore(Files, 8, 1000, ?ROOMY),
    ?assertMatch(#{messages := 1, since := 5}, ?Q:info(Q)),
    {[{file, _}], Q1} = sent(commit(0, 0, up(Q))),
    {[{feed, 7, First, _, _, _, _}], _} = sent(add([m(2)], commit(1, Q1))),
    ?assertEqual(1000, First).

without_files_an_epoch_begins_test() ->
    {Q, []} = ?Q:restore([], 8, 1000, ?ROOMY),
    {[{feed, 8, 1, _, _, _, _}], _} = sent(add([m(1)], commit(0, 0, up(Q)))).

strange_files_are_named_test() ->
    File = fun(E, F, L) -> lists:flatten(io_lib:format("1-~b-~20..0b-~20..0b.frame", [E, F, L])) end,
    Found = [
        {File(7, 1, 5), 1, 10},
        {File(9, 1, 5), 1, 5},
        {File(7, 3, 9), 1, 10},
        {File(7, 6, 5), 1, 10},
        {"2-7-00000000000000000006-00000000000000000009.frame", 1, 10},
        {"notes.txt", 1, 10}
    ],
    {Q, Strangers} = ?Q:restore(Found, 8, 1000, ?ROOMY),
    ?assertEqual([File(7, 1, 5)], ?Q:files(Q)),
    ?assertEqual(lists:sort([Name || {Name, _, _} <- tl(Found)]), lists:sort(Strangers)).

%%% Whatever happens, a program that knows numbers gets every message once and in order: see event/2 for
%%% what may happen.

%% FEED_SEED repeats a run that has failed.
any_course_of_events_delivers_every_message_once_and_in_order_test_() ->
    {timeout, 120, fun() ->
        case os:getenv("FEED_SEED") of
            false -> [course(rand:uniform(1 bsl 32)) || _ <- lists:seq(1, 100)];
            Seed -> course(list_to_integer(Seed))
        end
    end}.

course(Seed) ->
    rand:seed(exsss, Seed),
    Limits = #{memory => rand:uniform(1000) * ?KB, disk => rand:uniform(1000) * ?KB},
    World0 = #{
        queue => ?Q:new(7, Limits),
        limits => Limits,
        files => #{},
        added => [],
        clock => 1000,
        starts => 0,
        %% The program: what it has committed, what else it has taken, and both directions of the pipe.
        epoch => 0,
        number => 0,
        stored => [],
        taken => [],
        to => [],
        from => [],
        runs => false,
        %% A message that ends the program, if there is one, and how many runs in a row committed nothing.
        deadly => pick([0, rand:uniform(20)]),
        crashes => 0
    },
    try
        World = lists:foldl(fun(_, W) -> checked(event(rand:uniform(100), W)) end, World0, lists:seq(1, 300)),
        finish(World)
    catch
        Class:Reason:Stack ->
            io:format(user, "~nFEED_SEED=~b~n", [Seed]),
            erlang:raise(Class, Reason, Stack)
    end.

event(N, W) when N =< 40 ->
    #{queue := Q, added := Added, clock := Clock} = W,
    case ?Q:has_room(Q) of
        true ->
            Id = 1 + lists:max([0 | Added]),
            Size = pick([10, 10, 10, 1000, 50 * ?KB, 200 * ?KB, 400 * ?KB]),
            {Q1, Effects} = ?Q:add([{integer_to_binary(Id), zeros(Size), Clock, 0, <<>>}], Q),
            files(Effects, W#{queue := Q1, added := [Id | Added], clock := Clock + rand:uniform(100)});
        false ->
            W#{queue := ?Q:lost(1, <<"t">>, Q)}
    end;
event(N, #{runs := true, queue := Q} = W) when N =< 60 ->
    %% The port takes it, or is busy.
    case {?Q:next(Q), rand:uniform(4)} of
        {nothing, _} -> W;
        {_, 1} -> W;
        {{send, Source, Part, Q1}, _} -> W#{queue := Q1, to := maps:get(to, W) ++ [frame(Source, Part, W)]};
        {{skip, Source, Number}, _} -> skip(Source, Number, W)
    end;
event(N, #{runs := true, to := [Bin | To], taken := Taken} = W) when N =< 75 ->
    W#{to := To, taken := Taken ++ [binary_to_term(Bin)]};
event(N, #{runs := true, taken := [_ | _]} = W) when N =< 83 ->
    store(W);
event(N, #{runs := true, from := [{committed, Epoch, Number} | From], queue := Q} = W) when N =< 90 ->
    {Q1, Effects} = ?Q:committed(Epoch, Number, Q),
    files(Effects, W#{queue := Q1, from := From});
event(N, #{queue := Q, clock := Clock} = W) when N =< 92 ->
    case ?Q:heartbeat(Clock, Q) of
        {send, Bin, Q1} -> W#{queue := Q1, to := maps:get(to, W) ++ [Bin]};
        nothing -> W
    end;
event(N, #{queue := Q} = W) when N =< 93 ->
    {Q1, Effects} = ?Q:writable(?Q:flush(Q)),
    files(Effects, W#{queue := Q1});
event(N, #{runs := true} = W) when N =< 95 ->
    case rand:uniform(2) of
        1 -> ended(W);
        2 -> crashed(W)
    end;
event(N, #{runs := false, queue := Q, epoch := Epoch, number := Number} = W) when N =< 98 ->
    W#{runs := true, queue := up(Q), from := [{committed, Epoch, Number}]};
event(99, #{files := Files, added := Added, stored := Stored} = W) ->
    %% ejabberd is killed: what is neither committed nor in a file is lost.
    InFiles = lists:append([ids(binary_to_term(Bin)) || Bin <- maps:values(Files)]),
    restart(Files, W#{added := [Id || Id <- Added, lists:member(Id, Stored) orelse lists:member(Id, InFiles)]});
event(100, #{queue := Q, files := Files} = W) ->
    %% ejabberd stops and starts again.
    restart(maps:merge(Files, maps:from_list([{Name, Bin} || {write, Name, Bin} <- element(2, ?Q:close(Q))])), W);
event(_, W) ->
    W.

restart(Files, #{limits := Limits, starts := Starts} = W) ->
    Found = [{Name, byte_size(Bin), 0} || {Name, Bin} <- maps:to_list(Files)],
    {Q, []} = ?Q:restore(Found, rand:uniform(1 bsl 62), (Starts + 1) * 1000000, Limits),
    W#{files := Files, queue := Q, starts := Starts + 1, runs := false, to := [], from := [], taken := []}.

frame({memory, Bin}, all, _) -> Bin;
frame({file, Name}, all, #{files := Files}) -> maps:get(Name, Files);
frame(Source, {part, First, Last}, W) -> element(3, ?Q:part(First, Last, frame(Source, all, W))).

skip(Source, Number, #{queue := Q, added := Added, crashes := Crashes} = W) ->
    ?assert(Crashes >= 6),
    [Id] = ids(binary_to_term(frame(Source, {part, Number, Number}, W))),
    {Q1, Effects} = ?Q:skip(Number, 0, Q),
    files(Effects, W#{queue := Q1, added := lists:delete(Id, Added)}).

ended(#{queue := Q} = W) ->
    W#{runs := false, queue := ?Q:down(Q), to := [], from := [], taken := []}.

crashed(#{crashes := Crashes} = W) ->
    #{queue := Q} = W1 = ended(W),
    W1#{queue := ?Q:crashed(Q), crashes := Crashes + 1}.

%% The program commits a part of what it has, or ends at a message that it cannot bear.
store(#{taken := [{feed, Epoch, First, _, _, _, Messages} | Rest], stored := Stored} = W) ->
    #{epoch := Known, number := Number} = W,
    Last =
        case Known of
            Epoch -> Number;
            _ -> 0
        end,
    Numbered = lists:zip(lists:seq(First, First + length(Messages) - 1), Messages),
    New = [{N, binary_to_integer(Topic)} || {N, {Topic, _, _, _, _}} <- Numbered, N > Last],
    Part = lists:sublist(New, rand:uniform(length(New) + 1)),
    case lists:keymember(maps:get(deadly, W), 2, Part) of
        true ->
            crashed(W);
        false when Part =:= [] ->
            W#{taken := Rest};
        false ->
            {Newest, _} = lists:last(Part),
            W#{
                crashes := 0,
                taken := [Frame || Part =/= New, Frame <- [hd(maps:get(taken, W))]] ++ Rest,
                epoch := Epoch,
                number := Newest,
                stored := lists:reverse([Id || {_, Id} <- Part]) ++ Stored,
                from := maps:get(from, W) ++ [{committed, Epoch, Newest}]
            }
    end.

%% One of ten files cannot be written.
files(Effects, W) ->
    lists:foldl(
        fun
            ({write, Name, Bin}, #{files := Files, queue := Q} = W1) ->
                case rand:uniform(10) of
                    1 -> W1#{queue := ?Q:unwritten(Name, Bin, Q)};
                    _ -> W1#{files := Files#{Name => Bin}}
                end;
            ({delete, Name}, #{files := Files} = W1) ->
                W1#{files := maps:remove(Name, Files)}
        end,
        W,
        Effects
    ).

checked(#{queue := Q, limits := #{memory := Memory, disk := Disk}, files := Files} = W) ->
    #{memory := InMemory, disk := OnDisk} = ?Q:info(Q),
    %% One batch and one message may be above, also in the window; after a start there may be more files.
    ?assert(InMemory =< Memory + 4096 * ?KB + 2 * 700 * ?KB),
    ?assert(OnDisk =< max(Disk, lists:sum([byte_size(Bin) || Bin <- maps:values(Files)])) + 700 * ?KB),
    ?assertEqual(lists:sort(maps:keys(Files)), lists:sort(?Q:files(Q))),
    W.

%% The program is there and nothing disturbs any more.
finish(#{runs := true} = W) ->
    finish(ended(W));
finish(#{queue := Q, epoch := Epoch, number := Number} = W) ->
    {Q1, Effects} = ?Q:committed(Epoch, Number, up(Q)),
    settle(files(Effects, W#{queue := Q1, runs := true, to := [], from := [], taken := []})).

settle(#{runs := false} = W) ->
    finish(W);
settle(#{taken := [_ | _]} = W) ->
    settle(store(W));
settle(#{to := [Bin | To]} = W) ->
    settle(W#{to := To, taken := [binary_to_term(Bin)]});
settle(#{queue := Q, from := From, files := Files} = W) ->
    case {?Q:next(Q), From} of
        {{send, Source, Part, Q1}, _} ->
            settle(W#{queue := Q1, to := [frame(Source, Part, W)]});
        {{skip, Source, Number}, _} ->
            settle(skip(Source, Number, W));
        {nothing, [{committed, Epoch, Number} | Rest]} ->
            {Q1, Effects} = ?Q:committed(Epoch, Number, Q),
            settle(files(Effects, W#{queue := Q1, from := Rest}));
        {nothing, []} ->
            ?assertMatch(#{messages := 0, memory := 0, disk := 0, since := none}, ?Q:info(Q)),
            ?assertEqual(#{}, Files),
            ?assertEqual(lists:reverse(maps:get(added, W)), lists:reverse(maps:get(stored, W)))
    end.

%%% Helpers

up(Q) ->
    ?Q:up(1 bsl 50, Q).

queue() ->
    ?Q:new(7, ?ROOMY).

connected() ->
    commit(0, 0, up(queue())).

%% Connected, and what is added now becomes one batch.
queue_with_batch() ->
    connected().

limited(Memory, Disk) ->
    ?Q:new(7, #{memory => Memory, disk => Disk}).

add(Messages, Q) ->
    {Q1, []} = add_all(Messages, Q),
    Q1.

add_all(Messages, Q) ->
    lists:foldl(
        fun(Message, {Q1, Effects}) ->
            {Q2, More} = ?Q:add([Message], Q1),
            {Q2, Effects ++ More}
        end,
        {Q, []},
        Messages
    ).

commit(Number, Q) ->
    commit(7, Number, Q).

commit(Epoch, Number, Q) ->
    element(1, ?Q:committed(Epoch, Number, Q)).

%% Everything that goes out now, as terms; of files their names.
sent(Q) ->
    sent(Q, []).

sent(Q, Frames) ->
    case ?Q:next(Q) of
        nothing -> {lists:reverse(Frames), Q};
        {send, {memory, Bin}, all, Q1} -> sent(Q1, [binary_to_term(Bin) | Frames]);
        {send, {memory, Bin}, {part, First, Last}, Q1} ->
            {_, _, Frame} = ?Q:part(First, Last, Bin),
            sent(Q1, [binary_to_term(Frame) | Frames]);
        {send, {file, _} = File, all, Q1} -> sent(Q1, [File | Frames])
    end.

%% So many runs that are sent all they may have, commit nothing and crash.
crashes(Runs, Q) ->
    lists:foldl(
        fun(_, Q1) ->
            {[_ | _], Q2} = sent(Q1),
            commit(0, up(?Q:crashed(?Q:down(Q2))))
        end,
        Q,
        lists:seq(1, Runs)
    ).

ids({feed, _, _, _, _, _, Messages}) ->
    [binary_to_integer(Topic) || {Topic, _, _, _, _} <- Messages].

m(Id) ->
    m(Id, 2).

m(Id, Size) ->
    {integer_to_binary(Id), zeros(Size), 1000 + Id, 0, <<"alice@example.org/phone">>}.

zeros(Size) ->
    binary:copy(<<0>>, Size).

pick(List) ->
    lists:nth(rand:uniform(length(List)), List).
