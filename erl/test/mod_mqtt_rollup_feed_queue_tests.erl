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
                ?assertEqual({Seed, add_all(Messages, Q)}, {Seed, ?Q:handle({publish, Messages}, Q)})
            end,
            lists:seq(1, 20)
        )
    end}.

a_clock_that_was_ahead_in_an_earlier_run_does_not_hold_the_times_of_the_next_test() ->
    {[_], Q1} = mark(9000000, connected()),
    Message = fun(Id, Ms) -> {integer_to_binary(Id), <<"1">>, Ms, 0, <<>>} end,
    {[{feed, _, _, 9000000, _, _, [{_, _, 9000000, _, _}]}], Q2} = sent(add([Message(1, 5000)], Q1)),
    Q3 = commit(1, happens({up, 6000}, down(Q2))),
    {[{feed, _, _, 7000, _, _, [{_, _, 7000, _, _}]}], _} = sent(add([Message(2, 7000)], Q3)).

a_busy_port_changes_nothing_test() ->
    {Q1, [{send, First}]} = ?Q:handle(next, add([m(1)], connected())),
    ?assertMatch({_, [{send, First}]}, ?Q:handle(next, add([m(2)], Q1))).

an_open_batch_can_be_sent_without_waiting_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    {[Frame], _} = sent(flush(add([m(2)], Q1))),
    ?assertEqual([2], ids(Frame)).

nothing_is_sent_before_the_program_has_said_where_it_stands_test() ->
    Q = add([m(1)], queue()),
    ?assertMatch({[], _}, sent(Q)),
    ?assertMatch({[], _}, sent(up(Q))),
    ?assertMatch({[], _}, mark(5000, up(queue()))),
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
    {[Again, _], _} = sent(commit(1, up(add([m(3)], down(Q2))))),
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
    ?assertMatch(#{messages := 1}, ?Q:info(commit(1, down(Q1)))).

%%% Time

a_heartbeat_says_how_far_it_is_test() ->
    ?assertMatch({[{feed, 7, 1, 5000, 0, <<>>, []}], _}, mark(5000, connected())).

a_heartbeat_does_not_overtake_messages_test() ->
    {Frames, Q} = mark(5000, add([m(1)], connected())),
    ?assertMatch([{feed, 7, 1, 1001, 0, <<>>, [_]}], Frames),
    ?assertMatch({[{feed, 7, 2, 6000, 0, <<>>, []}], _}, mark(6000, Q)).

a_heartbeat_waits_for_a_busy_port_and_lets_messages_pass_test() ->
    Q1 = happens({mark, 5000}, connected()),
    {Q2, [{send, {memory, _}}]} = ?Q:handle(next, Q1),
    {Frames, _} = sent(add([{<<"1">>, <<>>, 5001, 0, <<>>}], Q2)),
    ?assertMatch([{feed, 7, 1, 5001, _, _, [_]}, {feed, 7, 2, 5001, _, _, []}], Frames).

what_arrived_before_a_promise_is_put_after_it_test() ->
    {[_], Q1} = mark(5000, connected()),
    {[Frame], _} = sent(add([{<<"t">>, <<>>, 4990, 0, <<>>}], Q1)),
    ?assertMatch({feed, _, _, 5000, _, _, [{_, _, 5000, _, _}]}, Frame).

a_clock_that_was_set_back_breaks_no_promise_test() ->
    {[_], Q1} = mark(5000000, connected()),
    {[Heartbeat], Q2} = mark(1000, Q1),
    ?assertMatch({feed, _, _, 5000000, _, _, []}, Heartbeat),
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
    {_, [{delete, Name}]} = ?Q:handle({committed, 7, 3}, Q1).

there_is_no_room_when_memory_and_files_are_full_test() ->
    Q0 = limited(300 * ?KB, 300 * ?KB),
    {Q1, _} = add_all([m(1, 300 * ?KB)], Q0),
    ?assert(?Q:has_room(Q1)),
    {Q2, _} = add_all([m(2, 300 * ?KB)], Q1),
    ?assertNot(?Q:has_room(Q2)),
    {_, Q3} = sent(commit(0, 0, up(Q2))),
    {Q4, _} = ?Q:handle({committed, 7, 1}, Q3),
    ?assert(?Q:has_room(Q4)).

after_a_crash_frames_go_one_by_one_until_something_is_committed_test() ->
    Q1 = crashes(1, add([m(N, 300 * ?KB) || N <- lists:seq(1, 3)], connected())),
    {[First], Q2} = sent(Q1),
    ?assertEqual([1], ids(First)),
    {Rest, _} = sent(commit(1, Q2)),
    ?assertEqual([[2], [3]], [ids(Frame) || Frame <- Rest]).

after_three_crashes_the_first_frame_goes_in_halves_test() ->
    Lost = lost(2, <<"t">>, connected()),
    Q1 = crashes(2, add([m(N) || N <- lists:seq(1, 5)], Lost)),
    {[Whole], _} = sent(Q1),
    ?assertEqual([1, 2, 3, 4, 5], ids(Whole)),
    {[First], Q2} = sent(add([m(6)], crashes(1, Q1))),
    ?assertMatch({feed, 7, 1, 1002, 2, <<"t">>, [_, _]}, First),
    {[Second], Q3} = sent(commit(2, Q2)),
    ?assertMatch({feed, 7, 3, 1005, 0, <<>>, [_, _, _]}, Second),
    {[Rest], Q4} = sent(commit(5, Q3)),
    ?assertEqual([6], ids(Rest)),
    ?assertMatch(#{messages := 0, memory := 0}, ?Q:info(commit(6, Q4))).

after_a_half_that_is_committed_the_other_one_needs_no_three_crashes_test() ->
    Q1 = crashes(3, add([m(N) || N <- lists:seq(1, 4)], connected())),
    {[_], Q2} = sent(Q1),
    {[_], Q3} = sent(commit(2, Q2)),
    {[Third], _} = sent(commit(2, up(crashed(down(Q3))))),
    ?assertEqual([3], ids(Third)).

a_frame_of_a_file_is_cut_into_files_test() ->
    {Q1, [{write, Name, Bin}]} = add_all([m(N, 20 * ?KB) || N <- lists:seq(1, 13)], limited(1, 900 * ?KB)),
    Q2 = crashes(2, commit(0, 0, up(Q1))),
    {[{file, Name}], Q3} = sent(Q2),
    {Q4, [{read, Name}]} = ?Q:handle({committed, 0, 0}, up(crashed(down(Q3)))),
    {Q5, [{write, Half1, Bin1}, {write, Half2, Bin2}, {delete, Name}]} = ?Q:handle({read, Name, Bin}, Q4),
    ?assertEqual(ids(binary_to_term(Bin)), ids(binary_to_term(Bin1)) ++ ids(binary_to_term(Bin2))),
    ?assertEqual([Half1, Half2], ?Q:files(Q5)),
    ?assertEqual(#{messages => 13, disk => byte_size(Bin1) + byte_size(Bin2)}, maps:with([messages, disk], ?Q:info(Q5))),
    %% A disk that is full now.
    Q6 = happens({unwritten, Half2, Bin2}, Q5),
    ?assertMatch({[{file, Half1}], _}, sent(Q6)),
    ?assertEqual([Half1], ?Q:files(Q6)).

what_a_run_has_committed_of_a_frame_is_not_in_its_halves_test() ->
    {[_], Q1} = sent(add([m(N) || N <- lists:seq(1, 5)], connected())),
    {[First], Q2} = sent(crashes(1, add([m(6)], commit(1, up(crashed(down(commit(2, Q1)))))))),
    ?assertEqual([1, 2, 3, 4, 5], ids(First)),
    {[Half], _} = sent(commit(2, up(crashed(down(Q2))))),
    ?assertMatch({feed, 7, 3, 1003, 0, _, [_]}, Half).

a_message_at_which_the_program_crashes_alone_is_left_out_and_no_other_test() ->
    Q1 = crashes(3, add([m(1), m(2), m(3)], lost(5, <<"t">>, connected()))),
    {[_], Q2} = sent(commit(1, Q1)),
    {[Second], Q3} = sent(commit(1, up(crashed(down(Q2))))),
    ?assertEqual([2], ids(Second)),
    {Q4, [{left_out, 2, <<"2">>, Alone}]} = left_out(1, Q3),
    ?assertMatch({feed, 7, 2, 1002, 0, _, [_]}, binary_to_term(Alone)),
    {[Third], Q5} = sent(Q4),
    ?assertMatch({feed, 7, 3, 1003, 0, _, [_]}, Third),
    ?assertMatch(#{messages := 0, memory := 0, lost := 6}, ?Q:info(commit(3, Q5))).

what_a_run_has_committed_before_its_crash_without_being_heard_is_not_left_out_test() ->
    Q1 = crashes(3, add([m(1)], connected())),
    {[_], Q2} = sent(Q1),
    {Q3, []} = left_out(1, Q2),
    ?assertMatch(#{messages := 0, lost := 0, committed := 1}, ?Q:info(Q3)).

only_one_message_is_left_out_until_something_is_committed_test() ->
    Q1 = crashes(3, add([m(1)], connected())),
    {[_], Q2} = sent(Q1),
    {Q3, [{left_out, 1, _, _}]} = left_out(0, Q2),
    Q4 = crashes(20, add([m(2)], Q3)),
    {[Second], Q5} = sent(Q4),
    ?assertEqual([2], ids(Second)),
    Q6 = crashes(3, add([m(3)], commit(2, Q5))),
    {[_], Q7} = sent(Q6),
    ?assertMatch({_, [{left_out, 3, _, _}]}, left_out(2, Q7)).

what_the_frame_of_a_message_had_to_tell_that_was_left_out_is_told_by_the_next_one_test() ->
    Q1 = crashes(3, add([m(1)], lost(5, <<"t">>, connected()))),
    {[_], Q2} = sent(Q1),
    {Q3, [{left_out, 1, _, _}]} = left_out(0, Q2),
    {[Frame], Q4} = sent(add([m(2)], Q3)),
    ?assertMatch({feed, 7, 2, _, 6, _, [_]}, Frame),
    ?assertMatch(#{lost := 6}, ?Q:info(Q4)).

runs_that_commit_something_were_sent_nothing_or_did_not_crash_do_not_count_test() ->
    Q1 = crashes(2, add([m(1), m(2)], connected())),
    {[_], Q2} = sent(Q1),
    Q3 = commit(0, up(crashed(down(commit(1, Q2))))),
    {[Whole], _} = sent(Q3),
    ?assertEqual([1, 2], ids(Whole)),
    Q4 = lists:foldl(fun(_, Q) -> commit(0, up(crashed(down(Q)))) end, Q3, lists:seq(1, 10)),
    Q5 = lists:foldl(
        fun(_, Q) ->
            {[_], Sent} = sent(Q),
            commit(0, up(down(Sent)))
        end,
        Q4,
        lists:seq(1, 10)
    ),
    {[Again], _} = sent(Q5),
    ?assertEqual([1, 2], ids(Again)).

what_was_lost_is_told_with_the_next_frame_once_test() ->
    Q = lost(2, <<"b">>, lost(1, <<"a">>, connected())),
    {[Frame], Q1} = sent(add([m(1)], Q)),
    ?assertMatch({feed, _, 1, _, 3, <<"b">>, [_]}, Frame),
    {[Next], _} = sent(add([m(2)], commit(1, Q1))),
    ?assertMatch({feed, _, 2, _, 0, <<>>, [_]}, Next),
    ?assertMatch(#{lost := 3}, ?Q:info(Q1)).

what_was_lost_is_told_by_a_heartbeat_test() ->
    {[Heartbeat], Q} = mark(5000, lost(2, <<"a">>, connected())),
    ?assertMatch({feed, _, 1, 5000, 2, <<"a">>, []}, Heartbeat),
    ?assertMatch({[{feed, _, 1, 6000, 0, <<>>, []}], _}, mark(6000, Q)).

%%% Files

a_file_that_cannot_be_written_stays_in_memory_test() ->
    {Q1, [{write, Name, Bin}]} = add_all([m(1, 300 * ?KB), m(2, 300 * ?KB)], limited(400 * ?KB, 900 * ?KB)),
    Q2 = happens({unwritten, Name, Bin}, Q1),
    ?assertMatch(#{disk := 0, messages := 2}, ?Q:info(Q2)),
    ?assertNot(?Q:has_room(Q2)),
    {Q3, [{write, Name, Bin}]} = ?Q:handle(writable, Q2),
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
        lists:foldl(fun({write, Name, Bin}, Q1) -> happens({unwritten, Name, Bin}, Q1) end, Q, Effects)
    end,
    Q = lists:foldl(fun(N, Q1) -> Fail(?Q:handle(writable, Fail(Add(N, Q1)))) end, limited(1, 900 * ?KB), lists:seq(1, 50)),
    ?assertMatch(#{messages := 1}, ?Q:info(Q)).

a_file_that_cannot_be_read_is_lost_and_told_test() ->
    {Q1, [{write, Name, _} | _]} = add_all([m(N, 300 * ?KB) || N <- [1, 2]], limited(1, 900 * ?KB)),
    Q2 = unreadable(Name, Q1),
    ?assertMatch(#{messages := 1, lost := 1}, ?Q:info(Q2)),
    {[{file, Other}], _} = sent(commit(0, 0, up(Q2))),
    ?assertMatch({ok, 7, 2, 2}, ?Q:parse_name(Other)).

the_end_writes_everything_that_is_not_committed_test() ->
    {[_], Q1} = sent(add([m(1)], connected())),
    Q2 = add([m(2)], Q1),
    ?assertEqual([[1], [2]], [ids(binary_to_term(Bin)) || {write, _, Bin} <- element(2, ?Q:handle(close, Q2))]).

a_queue_that_is_closed_again_has_only_what_is_new_test() ->
    {Q1, [{write, First, _}]} = ?Q:handle(close, add([m(1)], queue())),
    ?assertMatch(#{messages := 1, memory := 0}, ?Q:info(Q1)),
    ?assertMatch({_, []}, ?Q:handle(close, Q1)),
    {_, [{write, Second, Bin}]} = ?Q:handle(close, add([m(2)], Q1)),
    ?assertEqual([2], ids(binary_to_term(Bin))),
    {Q2, []} = ?Q:restore([{Name, 1, 5} || Name <- [First, Second]], 8, 1, #{memory => 1, disk => 1}),
    ?assertMatch(#{messages := 2}, ?Q:info(Q2)).

files_are_read_again_in_order_and_the_epoch_goes_on_test() ->
    Files = [{Name, byte_size(Bin), 5} || {write, Name, Bin} <- element(2, ?Q:handle(close, add([m(1)], queue())))],
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
            %% With the first one a message was left out after a single crash, as the other half was committed.
            false -> [course(Seed) || Seed <- [3695554981 | [erlang:phash2(make_ref(), 1 bsl 32) || _ <- lists:seq(1, 100)]]];
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
            {Q1, Effects} = ?Q:handle({publish, [{integer_to_binary(Id), zeros(Size), Clock, 0, <<>>}]}, Q),
            perform(Effects, W#{queue := Q1, added := [Id | Added], clock := Clock + rand:uniform(100)});
        false ->
            happens_to({lost, 1, <<"t">>}, W)
    end;
event(N, #{runs := true} = W) when N =< 60 ->
    happens_to(next, W);
event(N, #{runs := true, to := [Bin | To], taken := Taken} = W) when N =< 75 ->
    W#{to := To, taken := Taken ++ [binary_to_term(Bin)]};
event(N, #{runs := true, taken := [_ | _]} = W) when N =< 83 ->
    store(W);
event(N, #{runs := true, from := [Committed | From]} = W) when N =< 90 ->
    happens_to(Committed, W#{from := From});
event(N, #{clock := Clock} = W) when N =< 92 ->
    happens_to({mark, Clock}, W);
event(N, W) when N =< 93 ->
    happens_to(writable, happens_to(flush, W));
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
    restart(maps:merge(Files, maps:from_list([{Name, Bin} || {write, Name, Bin} <- element(2, ?Q:handle(close, Q))])), W);
event(_, W) ->
    W.

restart(Files, #{limits := Limits, starts := Starts} = W) ->
    Found = [{Name, byte_size(Bin), 0} || {Name, Bin} <- maps:to_list(Files)],
    {Q, []} = ?Q:restore(Found, rand:uniform(1 bsl 62), (Starts + 1) * 1000000, Limits),
    W#{files := Files, queue := Q, starts := Starts + 1, runs := false, to := [], from := [], taken := []}.

ended(W) ->
    (happens_to(down, W))#{runs := false, to := [], from := [], taken := []}.

crashed(#{crashes := _} = W) ->
    happens_to(crashed, (ended(W))#{crashes := maps:get(crashes, W) + 1});
crashed(Q) ->
    happens(crashed, Q).

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

happens_to(Event, #{queue := Q} = W) ->
    {Q1, Effects} = ?Q:handle(Event, Q),
    perform(Effects, W#{queue := Q1}).

perform(Effects, W) ->
    lists:foldl(fun effect/2, W, Effects).

%% One of ten files cannot be written, and the port is busy now and then.
effect({write, Name, Bin}, #{files := Files} = W) ->
    case rand:uniform(10) of
        1 -> happens_to({unwritten, Name, Bin}, W);
        _ -> W#{files := Files#{Name => Bin}}
    end;
effect({delete, Name}, #{files := Files} = W) ->
    W#{files := maps:remove(Name, Files)};
effect({read, Name}, #{files := Files} = W) ->
    happens_to({read, Name, maps:get(Name, Files)}, W);
effect({send, Source}, #{to := To, files := Files} = W) ->
    case rand:uniform(4) of
        1 ->
            W;
        _ ->
            Bin =
                case Source of
                    {memory, InMemory} -> InMemory;
                    {file, Name} -> maps:get(Name, Files)
                end,
            happens_to(sent, W#{to := To ++ [Bin]})
    end;
effect({left_out, _, Topic, Frame}, #{added := Added, crashes := Crashes} = W) ->
    ?assert(Crashes >= 2),
    ?assertEqual([binary_to_integer(Topic)], ids(binary_to_term(Frame))),
    W#{added := lists:delete(binary_to_integer(Topic), Added)}.

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
finish(#{epoch := Epoch, number := Number, queue := Q} = W) ->
    Up = W#{queue := up(Q), runs := true, to := [], from := [], taken := []},
    settle(happens_to({committed, Epoch, Number}, Up)).

settle(#{runs := false} = W) ->
    finish(W);
settle(#{taken := [_ | _]} = W) ->
    settle(store(W));
settle(#{to := [Bin | To]} = W) ->
    settle(W#{to := To, taken := [binary_to_term(Bin)]});
settle(#{from := [Committed | Rest]} = W) ->
    settle(happens_to(Committed, W#{from := Rest}));
settle(#{queue := Q, files := Files} = W) ->
    case ?Q:handle(next, Q) of
        {_, [_]} ->
            settle(happens_to(next, W));
        {Q, []} ->
            ?assertMatch(#{messages := 0, memory := 0, disk := 0, since := none}, ?Q:info(Q)),
            ?assertEqual(#{}, Files),
            ?assertEqual(lists:reverse(maps:get(added, W)), lists:reverse(maps:get(stored, W)))
    end.

%%% Helpers

%% For events that need nothing to be done.
happens(Event, Q) ->
    {Q1, []} = ?Q:handle(Event, Q),
    Q1.

up(Q) ->
    happens({up, 1 bsl 50}, Q).

down(Q) ->
    happens(down, Q).

flush(Q) ->
    happens(flush, Q).

lost(Count, Topic, Q) ->
    happens({lost, Count, Topic}, Q).

unreadable(Name, Q) ->
    happens({unreadable, Name}, Q).

%% What goes out when all until then is here.
mark(Ms, Q) ->
    sent(happens({mark, Ms}, Q)).

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
            {Q2, More} = ?Q:handle({publish, [Message]}, Q1),
            {Q2, Effects ++ More}
        end,
        {Q, []},
        Messages
    ).

commit(Number, Q) ->
    commit(7, Number, Q).

commit(Epoch, Number, Q) ->
    element(1, ?Q:handle({committed, Epoch, Number}, Q)).

%% Everything that goes out now, as terms; of files their names.
sent(Q) ->
    sent(Q, []).

sent(Q, Frames) ->
    case ?Q:handle(next, Q) of
        {Q1, []} -> {lists:reverse(Frames), Q1};
        {Q1, [{send, {memory, Bin}}]} -> sent(taken(Q1), [binary_to_term(Bin) | Frames]);
        {Q1, [{send, {file, _} = File}]} -> sent(taken(Q1), [File | Frames])
    end.

taken(Q) ->
    element(1, ?Q:handle(sent, Q)).

%% So many runs that are sent all they may have, commit nothing and crash.
crashes(Runs, Q) ->
    lists:foldl(
        fun(_, Q1) ->
            {[_ | _], Q2} = sent(Q1),
            commit(0, up(crashed(down(Q2))))
        end,
        Q,
        lists:seq(1, Runs)
    ).

%% The run crashes, and the next one has nothing more.
left_out(Committed, Q) ->
    ?Q:handle({committed, 7, Committed}, up(crashed(down(Q)))).

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
