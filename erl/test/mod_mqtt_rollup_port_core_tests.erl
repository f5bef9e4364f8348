%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_port_core_tests).

-include_lib("eunit/include/eunit.hrl").

%% What the program gets, and what the core gets.
-define(SENT, #{data_dir => <<"/d">>, durability => normal, rules => #{}, brokers => []}).
-define(SENT_OTHER, (?SENT)#{rules => #{timezone => <<"UTC">>}}).
-define(CONFIG, (?SENT)#{feed => none}).
-define(OTHER, (?SENT_OTHER)#{feed => none}).
-define(FEED, #{filters => [<<"a">>], dir => "/d/feed", memory => 1, disk => 1, payload => 1}).
-define(WITH_FEED, (?SENT)#{feed => ?FEED}).
-define(MORE, #{filters => [<<"a">>, <<"b">>], dir => "/d/feed", memory => 1, disk => 1, payload => 1}).
-define(WITH_MORE, (?SENT_OTHER)#{feed => ?MORE}).

it_shakes_hands_configures_and_runs_test() ->
    {S1, [open]} = handle({timer, open}, new()),
    {S2, E2} = handle(opened, S1),
    ?assertEqual(
        [{send, control, {hello, #{protocol => 1, vhost => <<"h">>}}}, {start_timer, hello, 10000}], E2
    ),
    {S3, E3} = handle({frame, hello()}, S2),
    ?assert(lists:member({cancel_timer, hello}, E3)),
    ?assert(lists:member({send, control, {configure, 1, ?SENT}}, E3)),
    {S4, E4} = handle({frame, {configured, 1, ok}}, S3),
    ?assert(lists:member({grant, 64}, E4)),
    ?assertMatch(#{phase := running, problem := none}, mod_mqtt_rollup_port_core:info(S4)).

a_program_of_another_protocol_is_closed_test() ->
    {S, E} = handle({frame, {hello, #{protocol => 2}}}, greeted()),
    ?assert(lists:member(close, E)),
    ?assertMatch(#{phase := down}, mod_mqtt_rollup_port_core:info(S)),
    [Text] = logged(error, E),
    ?assertNotEqual(nomatch, string:find(Text, "version 2")).

a_silent_program_is_closed_and_tried_again_test() ->
    {_, E} = handle({timer, hello}, greeted()),
    ?assertEqual([close, {start_timer, open, 250}], [X || X <- E, X =:= close orelse is_open_timer(X)]).

a_stale_timer_changes_nothing_test() ->
    ?assertMatch({_, []}, handle({timer, hello}, running())),
    ?assertMatch({_, []}, handle({timer, configure}, running())),
    ?assertMatch({_, []}, handle({timer, open}, running())),
    ?assertMatch({_, []}, handle({timer, {request, 77}}, running())).

the_delay_doubles_up_to_a_minute_test() ->
    {_, Delays} = lists:foldl(
        fun(_, {S, Delays}) ->
            {S1, E} = handle({open_failed, "no program"}, S),
            {S1, [Delay || {start_timer, open, Delay} <- E] ++ Delays}
        end,
        {new(), []},
        lists:seq(1, 10)
    ),
    ?assertEqual([250, 500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000], lists:reverse(Delays)).

jitter_takes_up_to_a_quarter_off_test() ->
    {_, E} = mod_mqtt_rollup_port_core:handle({open_failed, "x"}, 1.0, new()),
    ?assertEqual([188], [Delay || {start_timer, open, Delay} <- E]).

a_minute_of_running_wipes_out_the_failures_test() ->
    Start = run(failed(3, new())),
    {_, Early} = handle({exited, 70}, Start),
    ?assertEqual([2000], delays(Early)),
    ?assert(lists:member({cancel_timer, stable}, Early)),
    {Stable, _} = handle({timer, stable}, Start),
    {_, Late} = handle({exited, 70}, Stable),
    ?assertEqual([250], delays(Late)).

a_run_that_commits_messages_wipes_out_the_failures_too_test() ->
    Delay = fun(S) -> delays(element(2, handle({exited, 137}, S))) end,
    Start = run(failed(3, new())),
    %% Where it stands at its start is no work of this run.
    {Told, _} = handle({frame, {committed, 7, 8}}, Start),
    ?assertEqual([2000], Delay(Told)),
    {Same, _} = handle({frame, {committed, 7, 8}}, Told),
    ?assertEqual([2000], Delay(Same)),
    {Worked, _} = handle({frame, {committed, 7, 9}}, Told),
    ?assertEqual([250], Delay(Worked)),
    %% What comes after this run is none of its work.
    {Ended, _} = handle({exited, 137}, Worked),
    ?assertEqual([500], delays(element(2, handle({open_failed, "x"}, Ended)))).

a_program_that_dies_under_load_for_ever_is_started_less_and_less_test() ->
    {Tired, Delays} = lists:foldl(
        fun(_, {S, Delays}) ->
            {S1, E} = handle({exited, 139}, worked(run(S))),
            {S1, delays(E) ++ Delays}
        end,
        {new(), []},
        lists:seq(1, 130)
    ),
    {Quick, Slow} = lists:split(120, lists:reverse(Delays)),
    ?assertEqual([250], lists:usort(Quick)),
    ?assertEqual([500, 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000, 60000], Slow),
    %% Once it has been well for a minute it may be killed as often again.
    {Stable, _} = handle({timer, stable}, run(Tired)),
    {Ended, E1} = handle({exited, 139}, worked(Stable)),
    {_, E2} = handle({exited, 139}, worked(run(Ended))),
    ?assertEqual([250, 250], delays(E1) ++ delays(E2)).

the_same_problem_is_logged_once_test() ->
    {S1, E1} = handle({open_failed, "no program"}, new()),
    ?assertMatch([_], logged(error, E1)),
    {S2, E2} = handle({open_failed, "no program"}, S1),
    ?assertMatch([], logged(error, E2)),
    {S3, E3} = handle({open_failed, "not executable"}, S2),
    ?assertMatch([_], logged(error, E3)),
    {_, E4} = handle({open_failed, "no program"}, S3),
    ?assertMatch([], logged(error, E4)).

a_program_that_has_to_be_killed_each_time_is_logged_once_test() ->
    {S1, E1} = handle(killed, failed(1, new())),
    ?assertMatch([_], logged(warning, E1)),
    {S2, E2} = handle(killed, failed(1, S1)),
    ?assertEqual([], logged(warning, E2)),
    {S3, _} = handle({timer, stable}, run(S2)),
    ?assertMatch([_], logged(warning, element(2, handle(killed, failed(1, S3))))).

different_problems_are_not_logged_without_end_test() ->
    {_, Lines} = lists:foldl(
        fun(N, {S, Lines}) ->
            {S1, E} = handle({open_failed, integer_to_list(N)}, S),
            {S1, logged(error, E) ++ Lines}
        end,
        {new(), []},
        lists:seq(1, 50)
    ),
    ?assertEqual(10, length(Lines)).

a_crash_loop_is_logged_once_and_so_is_its_end_test() ->
    Crash = fun(_, {S, Lines}) ->
        {S1, E1} = run_with_effects(S),
        {S2, E2} = handle({exited, 139}, S1),
        {S2, Lines ++ logged(error, E2) ++ logged(info, E1 ++ E2)}
    end,
    {Looping, Lines} = lists:foldl(Crash, {new(), []}, lists:seq(1, 20)),
    ?assertMatch(["the program ended: it was killed by signal 11" ++ _, "the program is running"], lists:sort(Lines)),
    {Running, E} = run_with_effects(Looping),
    ?assertEqual([], logged(info, E)),
    %% What it was is shown as long as it may come again.
    ?assertMatch(#{phase := running, problem := <<"the program ended", _/binary>>}, mod_mqtt_rollup_port_core:info(Running)),
    ?assert(lists:member({start_timer, stable, 60000}, E)),
    {Stable, E1} = handle({timer, stable}, Running),
    ?assertEqual(["the program is running again"], logged(info, E1)),
    ?assertMatch(#{problem := none}, mod_mqtt_rollup_port_core:info(Stable)),
    {_, E2} = handle({exited, 139}, Stable),
    ?assertMatch([_], logged(error, E2)).

a_program_that_was_well_all_the_time_says_nothing_after_a_minute_test() ->
    ?assertMatch({_, []}, handle({timer, stable}, running())),
    ?assertMatch({_, []}, handle({timer, stable}, new())).

an_exit_is_logged_with_its_meaning_test() ->
    {_, E} = handle({exited, 66}, running()),
    [Text] = logged(error, E),
    ?assertNotEqual(nomatch, string:find(Text, "used by another program")),
    {_, Killed} = handle({exited, 137}, running()),
    [Why] = logged(error, Killed),
    ?assertNotEqual(nomatch, string:find(Why, "signal 9")).

an_answer_goes_to_whoever_asked_test() ->
    {S1, E1} = handle({request, alice, status, 5000}, running()),
    ?assertEqual([{start_timer, {request, 2}, 5000}, {send, {request, 2}, {request, 2, 5000, status}}], E1),
    {S2, _} = handle({request, bob, status, 5000}, S1),
    {S3, E3} = handle({frame, {reply, 3, {ok, #{a => 1}}}}, S2),
    ?assertEqual([{cancel_timer, {request, 3}}, {reply, bob, {ok, #{a => 1}}}], E3),
    {_, E4} = handle({frame, {reply, 2, {ok, #{}}}}, S3),
    ?assertEqual([{cancel_timer, {request, 2}}, {reply, alice, {ok, #{}}}], E4).

a_late_answer_is_dropped_and_counted_test() ->
    {S1, _} = handle({request, alice, status, 5000}, running()),
    {S2, E2} = handle({timer, {request, 2}}, S1),
    ?assertMatch([{reply, alice, {error, {timeout, _, _}}}], E2),
    {S3, E3} = handle({frame, {reply, 2, {ok, #{}}}}, S2),
    ?assertEqual([], E3),
    ?assertMatch(#{late := 1, pending := 0}, mod_mqtt_rollup_port_core:info(S3)).

a_full_pipe_is_an_answer_test() ->
    {S1, _} = handle({request, alice, status, 5000}, running()),
    ?assertMatch({_, [_, {reply, alice, {error, {unavailable, _, _}}}]}, handle({unsent, 2}, S1)).

questions_are_answered_while_the_program_is_down_test() ->
    ?assertMatch({_, [{reply, alice, {error, {unavailable, _, _}}}]}, handle({request, alice, status, 1}, new())).

whoever_waits_when_the_program_ends_is_answered_test() ->
    {S1, _} = handle({request, alice, status, 5000}, running()),
    {S2, E} = handle({exited, 139}, S1),
    ?assertMatch([{reply, alice, {error, {unavailable, _, _}}}], [X || X = {reply, _, _} <- E]),
    ?assert(lists:member({cancel_timer, {request, 2}}, E)),
    ?assertMatch(#{pending := 0, restarts := 1}, mod_mqtt_rollup_port_core:info(S2)).

questions_are_bounded_test() ->
    Full = lists:foldl(
        fun(N, S) -> element(1, handle({request, N, status, 5000}, S)) end, running(), lists:seq(1, 1000)
    ),
    ?assertMatch({_, [{reply, x, {error, {unavailable, _, _}}}]}, handle({request, x, status, 5000}, Full)).

a_notification_is_confirmed_and_gives_its_credit_back_test() ->
    {S, E} = handle({frame, {notify, 7, #{id => <<"i">>}}}, running()),
    ?assertEqual([{notify, 7, #{id => <<"i">>}}], E),
    {_, E2} = handle({notified, 7}, S),
    ?assertEqual([{send, control, {notified, 7}}, {send, control, {credit, 1}}], E2).

a_reload_is_sent_and_becomes_the_configuration_of_the_next_start_test() ->
    {S1, E1} = handle({configure, ?OTHER}, running()),
    ?assert(lists:member({send, control, {configure, 2, ?SENT_OTHER}}, E1)),
    {S2, _} = handle({frame, {configured, 2, ok}}, S1),
    {_, E} = restarted(S2),
    ?assert(lists:member({send, control, {configure, 3, ?SENT_OTHER}}, E)).

a_refused_reload_is_logged_and_what_ran_goes_on_test() ->
    {S1, _} = handle({configure, ?OTHER}, running()),
    {S2, E2} = handle(
        {frame, {configured, 2, {error, [{bad_config, <<"alerts->w->raise">>, <<"what?">>}]}}}, S1
    ),
    [Text] = logged(error, E2),
    ?assertNotEqual(nomatch, string:find(Text, "modules->mod_mqtt_rollup->alerts->w->raise: what?")),
    ?assertMatch(#{phase := running}, mod_mqtt_rollup_port_core:info(S2)),
    ?assertNot(lists:member(close, E2)),
    {_, E} = restarted(S2),
    ?assert(lists:member({send, control, {configure, 3, ?SENT}}, E)).

a_reload_without_an_answer_begins_the_next_run_test_() ->
    {Sent, _} = handle({configure, ?OTHER}, running()),
    [
        ?_test(begin
            {Down, _} = handle(End, Sent),
            ?assertEqual([?SENT_OTHER], configures(started(Down)))
        end)
     || End <- [{exited, 137}, {bad_frame, "x"}, {timer, configure}]
    ].

the_newest_of_the_reloads_without_an_answer_begins_the_next_run_test_() ->
    Newest = (?OTHER)#{durability := full},
    {Sent, _} = handle({configure, ?OTHER}, running()),
    {Waiting, []} = handle({configure, Newest}, Sent),
    [
        ?_test(begin
            {Down, _} = handle(End, Waiting),
            ?assertEqual([maps:remove(feed, Newest)], configures(started(Down)))
        end)
     || End <- [{exited, 137}, {timer, configure}]
    ].

a_program_that_does_not_answer_to_a_reload_is_ended_test() ->
    {Sent, _} = handle({configure, ?OTHER}, running()),
    {Ended, E} = handle({timer, configure}, Sent),
    ?assert(lists:member(close, E)),
    ?assertEqual([250], delays(E)),
    ?assertMatch(
        ["the program does not answer to the new configuration and is ended; next try" ++ _], logged(error, E)
    ),
    ?assertMatch(#{phase := down, restarts := 1}, mod_mqtt_rollup_port_core:info(Ended)).

of_two_quick_reloads_the_newest_wins_test() ->
    {S1, _} = handle({configure, ?CONFIG}, running()),
    {S2, []} = handle({configure, ?CONFIG}, S1),
    {S3, []} = handle({configure, ?OTHER}, S2),
    {_, E} = handle({frame, {configured, 2, ok}}, S3),
    ?assertEqual([?SENT_OTHER], [C || {send, control, {configure, 3, C}} <- E]).

a_reload_that_meets_hello_may_have_mended_what_was_wrong_test() ->
    {Greeting, _} = handle(opened, failed(3, new())),
    {S1, _} = handle({configure, ?OTHER}, Greeting),
    {S2, E2} = handle({frame, hello()}, S1),
    ?assert(lists:member({send, control, {configure, 1, ?SENT_OTHER}}, E2)),
    {_, E3} = handle({frame, {configured, 1, ok}}, S2),
    ?assertEqual(["the program is running"], logged(info, E3)).

the_refusal_of_what_was_reloaded_meanwhile_starts_the_program_at_once_test() ->
    {S1, _} = started(failed(3, new())),
    {S2, []} = handle({configure, ?OTHER}, S1),
    {S3, E3} = handle({frame, {configured, 1, {error, [{bad_config, <<"alerts">>, <<"what?">>}]}}}, S2),
    ?assertEqual([close, {start_timer, open, 0}], [X || X <- E3, X =:= close orelse is_open_timer(X)]),
    ?assertEqual([], logged(error, E3)),
    {_, E4} = run_with_effects(S3),
    ?assertEqual([?SENT_OTHER], configures({S3, E4})),
    ?assertEqual(["the program is running"], logged(info, E4)).

a_reload_while_the_program_is_down_starts_it_at_once_test() ->
    {S, E} = handle({configure, ?OTHER}, failed(9, new())),
    ?assertEqual([{feed, off}, {start_timer, open, 0}], E),
    {_, E1} = restarted(S),
    ?assert(lists:member({send, control, {configure, 1, ?SENT_OTHER}}, E1)),
    %% What was wrong may still be, and is worth saying about this configuration too.
    {_, E2} = handle({open_failed, "x"}, S),
    ?assertEqual([250], delays(E2)),
    ?assertMatch([_], logged(error, E2)).

a_refused_first_configuration_is_tried_again_test() ->
    {S1, _} = handle({frame, hello()}, greeted()),
    {_, E} = handle({frame, {configured, 1, {error, [{storage, <<"data_dir">>, <<"locked">>}]}}}, S1),
    ?assert(lists:member(close, E)),
    ?assert(lists:member({start_timer, open, 250}, E)),
    [Text] = logged(error, E),
    ?assertNotEqual(nomatch, string:find(Text, "no other program uses the history")).

a_restart_opens_with_the_new_configuration_at_once_test() ->
    {S, E} = handle({restart, ?OTHER}, running()),
    ?assert(lists:member(close, E)),
    ?assertEqual({start_timer, open, 0}, lists:last(E)),
    {_, E2} = restarted(S),
    ?assert(lists:member({send, control, {configure, 2, ?SENT_OTHER}}, E2)).

a_violation_closes_the_port_test_() ->
    [
        ?_assert(lists:member(close, element(2, Step)))
     || Step <- [
            handle({bad_frame, "x"}, running()),
            handle({frame, hello()}, running()),
            handle({frame, {checked, 1, ok}}, greeted()),
            %% The answer to nothing that was sent.
            handle({frame, {configured, 77, ok}}, running()),
            handle({frame, {notify, 1, #{}}}, greeted()),
            handle({frame, {reply, 1, {ok, #{}}}}, greeted())
        ]
    ].

logs_of_the_program_keep_their_level_test() ->
    ?assertMatch({_, [_, {log, warning, <<"disk">>}]}, handle({frame, {log, warning, <<"disk">>}}, running())),
    {_, [_, {log, info, Text}]} = handle({frame, {log, info, <<"a", 255>>}}, running()),
    ?assert(is_list(unicode:characters_to_list(Text))).

stopping_closes_the_port_and_answers_everybody_test() ->
    {S1, _} = handle({request, alice, status, 5000}, running()),
    {_, E} = handle(stop, S1),
    ?assertEqual(close, lists:last(E)),
    ?assertMatch([_], [X || X = {reply, alice, _} <- E]).

%%% The in-node link

the_feed_is_up_with_what_the_program_has_taken_test() ->
    {_, E} = handle({frame, {configured, 1, ok}}, greeted_with_feed()),
    ?assertEqual([{feed, {up, ?FEED}}, {status, online}], link_effects(E)).

the_feed_is_down_before_the_port_is_closed_test_() ->
    [
        ?_assertEqual(
            [{feed, down}, {status, offline}] ++ Collected ++ [close],
            [Effect || Effect <- element(2, handle(Event, running_with_feed())),
                       Effect =:= close orelse link_effects([Effect]) =/= []]
        )
     || {Event, Collected} <- [{stop, []}, {{restart, ?CONFIG}, [{feed, off}]}, {{bad_frame, "x"}, []}]
    ].

the_feed_is_down_when_the_program_ends_test() ->
    {_, E} = handle({exited, 0}, running_with_feed()),
    ?assertEqual([{feed, down}, {status, offline}], link_effects(E)).

the_feed_is_told_of_a_crash_and_of_nothing_else_as_one_test() ->
    Told = fun(Event) -> lists:member({feed, crashed}, element(2, handle(Event, running_with_feed()))) end,
    [?assertEqual({Status, true}, {Status, Told({exited, Status})}) || Status <- [65, 70, 132, 134, 135, 136, 139]],
    [?assertEqual({Status, false}, {Status, Told({exited, Status})}) || Status <- [0, 1, 66, 129, 130, 137, 143, unknown]],
    ?assertNot(Told(stop)),
    ?assertNot(Told({bad_frame, "it is too long"})).

a_program_that_never_ran_has_no_feed_test() ->
    ?assertEqual([], link_effects(element(2, handle({exited, 70}, greeted_with_feed())))).

a_reload_goes_to_the_feed_when_the_program_has_taken_it_test() ->
    Feed = (?FEED)#{filters := [<<"b">>]},
    {S1, E1} = handle({configure, (?WITH_FEED)#{feed := Feed}}, running_with_feed()),
    ?assertEqual([], link_effects(E1)),
    ?assertEqual([{feed, {up, Feed}}], link_effects(element(2, handle({frame, {configured, 2, ok}}, S1)))),
    Refusal = {error, [{bad_config, <<>>, <<"no">>}]},
    ?assertEqual([], link_effects(element(2, handle({frame, {configured, 2, Refusal}}, S1)))).

without_a_program_the_feed_is_configured_at_once_test() ->
    {_, E} = handle({configure, ?WITH_FEED}, new()),
    ?assertEqual([{feed, {configure, ?FEED}}], link_effects(E)).

a_restart_tells_the_feed_what_to_collect_until_the_program_runs_test() ->
    Restart = fun(S) -> link_effects(element(2, handle({restart, ?WITH_MORE}, S))) end,
    Collect = {feed, {configure, ?MORE}},
    ?assertEqual([{feed, down}, {status, offline}, Collect], Restart(running_with_feed())),
    ?assertEqual([Collect], Restart(greeted_with_feed())),
    {Sent, _} = handle({configure, ?WITH_FEED}, running_with_feed()),
    ?assertEqual([{feed, down}, {status, offline}, Collect], Restart(Sent)).

a_reload_before_the_program_is_configured_goes_to_the_feed_at_once_test() ->
    {Hello, _} = handle(opened, mod_mqtt_rollup_port_core:new(<<"h">>, ?WITH_FEED)),
    ?assertEqual([{feed, {configure, ?MORE}}], element(2, handle({configure, ?WITH_MORE}, Hello))),
    {S, [{feed, off}]} = handle({configure, ?CONFIG}, Hello),
    ?assertEqual([?SENT], configures(handle({frame, hello()}, S))).

a_reload_without_an_answer_goes_to_the_feed_when_the_program_ends_test() ->
    Collect = {feed, {configure, ?MORE}},
    {Configuring, []} = handle({configure, ?WITH_MORE}, greeted_with_feed()),
    {Down, E} = handle({exited, 66}, Configuring),
    ?assertEqual([Collect], link_effects(E)),
    %% Once is enough.
    ?assertEqual([], link_effects(element(2, handle({open_failed, "x"}, Down)))),
    {Sent, _} = handle({configure, ?WITH_MORE}, running_with_feed()),
    ?assertEqual([{feed, down}, {status, offline}, Collect], link_effects(element(2, handle({exited, 137}, Sent)))),
    {Waiting, []} = handle({configure, ?CONFIG}, Sent),
    ?assertEqual(
        [{feed, down}, {status, offline}, {feed, off}], link_effects(element(2, handle({timer, configure}, Waiting)))
    ).

a_feed_that_collects_the_same_is_not_told_test_() ->
    Same = (?WITH_FEED)#{rules := #{timezone => <<"UTC">>}},
    Down = [{feed, down}, {status, offline}],
    {Hello, _} = handle(opened, mod_mqtt_rollup_port_core:new(<<"h">>, ?WITH_FEED)),
    {Configuring, _} = handle({configure, Same}, greeted_with_feed()),
    {Sent, _} = handle({configure, Same}, running_with_feed()),
    [
        ?_assertEqual(Told, link_effects(element(2, handle(Event, S))))
     || {S, Event, Told} <- [
            {running_with_feed(), {restart, Same}, Down},
            {Hello, {configure, Same}, []},
            {Configuring, {exited, 66}, []},
            {Sent, {exited, 137}, Down}
        ]
    ].

commits_go_to_the_feed_test() ->
    ?assertMatch({_, [{feed, {committed, 7, 8}}]}, handle({frame, {committed, 7, 8}}, running_with_feed())).

a_feed_that_starts_late_is_told_everything_test() ->
    {_, E1} = handle(feed_started, running_with_feed()),
    ?assertEqual([{feed, {up, ?FEED}}], E1),
    {S, _} = handle({frame, {committed, 7, 8}}, running_with_feed()),
    {_, E2} = handle(feed_started, S),
    ?assertEqual([{feed, {up, ?FEED}}, {feed, {committed, 7, 8}}], E2),
    ?assertMatch({_, []}, handle(feed_started, running())),
    ?assertMatch({_, []}, handle(feed_started, greeted_with_feed())).

publications_are_handed_over_and_answered_test() ->
    Publications = [publication(), publication()],
    {S1, [{publish, Publications}]} = handle({frame, {publish, Publications}}, running_with_feed()),
    ?assertMatch({_, [{send, control, {published, 2, 1}}]}, handle({published, 2, 1}, S1)).

a_program_that_hangs_is_ended_after_five_minutes_test() ->
    Tick = fun(_, S) ->
        {S1, [{send, {request, Id}, {request, Id, 60000, status}}, {start_timer, watch, 60000}]} =
            handle({timer, watch}, S),
        S1
    end,
    {Running, E} = run_with_effects(new()),
    ?assert(lists:member({start_timer, watch, 60000}, E)),
    Silent = lists:foldl(Tick, Running, lists:seq(1, 5)),
    {Ended, E1} = handle({timer, watch}, Silent),
    ?assert(lists:member(close, E1)),
    ?assertEqual([250], delays(E1)),
    ?assertMatch(["the program has not answered for 5 minutes and is ended" ++ _], logged(error, E1)),
    %% The next run has as long.
    _ = lists:foldl(Tick, run(Ended), lists:seq(1, 5)).

whatever_a_program_says_shows_that_it_does_not_hang_test_() ->
    [
        ?_test(begin
            Tick = fun(_, S) -> element(1, handle({timer, watch}, S)) end,
            %% It is asked with the ids from 2 on.
            Silent = lists:foldl(Tick, running_with_feed(), lists:seq(1, 5)),
            {Alive, Effects} = handle({frame, Frame}, Silent),
            ?assertEqual([], [reply || {reply, _, _} <- Effects]),
            ?assertMatch({_, [{send, _, _}, {start_timer, watch, _}]}, handle({timer, watch}, Alive))
        end)
     || Frame <- [{reply, 6, {ok, #{}}}, {reply, 2, {ok, #{}}}, {committed, 7, 8}, {log, info, <<"x">>}]
    ].

the_answer_to_our_own_question_is_not_late_test() ->
    {S, _} = handle({timer, watch}, running()),
    {S1, []} = handle({frame, {reply, 2, {ok, #{}}}}, S),
    ?assertMatch(#{late := 0}, mod_mqtt_rollup_port_core:info(S1)),
    %% A pipe that is full has no room for it.
    ?assertMatch({_, []}, handle({unsent, 2}, S)).

more_publications_than_allowed_are_a_violation_test() ->
    Many = lists:duplicate(256, publication()),
    {S1, [{publish, _}]} = handle({frame, {publish, Many}}, running_with_feed()),
    {_, E} = handle({frame, {publish, [publication()]}}, S1),
    ?assert(lists:member(close, E)),
    {S2, _} = handle({published, 256, 0}, S1),
    ?assertMatch({_, [{publish, _}]}, handle({frame, {publish, Many}}, S2)).

notifications_without_credit_are_a_violation_test() ->
    Notify = fun(N, S) -> handle({frame, {notify, N, #{}}}, S) end,
    Full = lists:foldl(fun(N, S) -> element(1, Notify(N, S)) end, running(), lists:seq(1, 64)),
    ?assert(lists:member(close, element(2, Notify(65, Full)))),
    {Less, _} = handle({notified, 1}, Full),
    ?assertMatch({_, [{notify, 65, _}]}, Notify(65, Less)).

log_lines_without_end_are_a_violation_test() ->
    Log = fun(S) -> handle({frame, {log, info, <<"x">>}}, S) end,
    Full = lists:foldl(fun(_, S) -> element(1, Log(S)) end, running(), lists:seq(1, 1000)),
    ?assert(lists:member(close, element(2, Log(Full)))),
    {Later, []} = handle({timer, logs}, Full),
    ?assertMatch({_, [{start_timer, logs, 1000}, {log, info, <<"x">>}]}, Log(Later)).

a_line_of_the_log_is_one_line_and_not_long_test() ->
    {_, [_, {log, info, Line}]} = handle({frame, {log, info, <<"a\nforged\e[31m">>}}, running()),
    ?assertEqual(<<"a\\nforged\\x{1b}[31m">>, Line),
    {_, [_, {log, info, Long}]} = handle({frame, {log, info, binary:copy(<<"x">>, 100000)}}, running()),
    ?assertEqual(8192, byte_size(Long)).

a_restart_forgets_the_failures_too_test() ->
    {S, _} = handle({restart, ?OTHER}, run(failed(3, new()))),
    {Greeted, _} = handle(opened, S),
    ?assertEqual([250], delays(element(2, handle({exited, 1}, Greeted)))).

a_configuration_is_checked_by_the_running_program_test() ->
    {S, E} = handle({request, alice, {check, ?SENT}, 5000}, running()),
    ?assertEqual([{start_timer, {request, 2}, 5000}, {send, {request, 2}, {check, 2, ?SENT}}], E),
    ?assertMatch({_, [_, {reply, alice, ok}]}, handle({frame, {checked, 2, ok}}, S)).

%%% Helpers

publication() ->
    {<<"stats/a">>, <<"1">>, 1, true, none, <<>>}.

link_effects(Effects) ->
    [Effect || {Kind, _} = Effect <- Effects, Kind =:= feed orelse Kind =:= status].

greeted_with_feed() ->
    {S1, _} = handle(opened, mod_mqtt_rollup_port_core:new(<<"h">>, ?WITH_FEED)),
    element(1, handle({frame, hello()}, S1)).

running_with_feed() ->
    element(1, handle({frame, {configured, 1, ok}}, greeted_with_feed())).

new() ->
    mod_mqtt_rollup_port_core:new(<<"h">>, ?CONFIG).

handle(Event, S) ->
    mod_mqtt_rollup_port_core:handle(Event, 0.0, S).

hello() ->
    {hello, #{protocol => 1, build => <<"b">>, pid => 1, frame_bytes_max => 16777216}}.

greeted() ->
    element(1, handle(opened, new())).

running() ->
    run(new()).

run(S) ->
    element(1, run_with_effects(S)).

run_with_effects(S) ->
    {S1, E1} = handle(opened, S),
    {S2, E2} = handle({frame, hello()}, S1),
    [Id] = [Id || {send, control, {configure, Id, _}} <- E2],
    {S3, E3} = handle({frame, {configured, Id, ok}}, S2),
    {S3, E1 ++ E2 ++ E3}.

%% A run that has committed something.
worked(S) ->
    {S1, _} = handle({frame, {committed, 7, 8}}, S),
    {S2, _} = handle({frame, {committed, 7, 9}}, S1),
    S2.

failed(0, S) -> S;
failed(Times, S) -> failed(Times - 1, element(1, handle({open_failed, "x"}, S))).

delays(Effects) ->
    [Delay || {start_timer, open, Delay} <- Effects].

%% As far as the configure of the next run.
restarted(S) ->
    started(element(1, handle({exited, 0}, S))).

started(S) ->
    handle({frame, hello()}, element(1, handle(opened, S))).

configures({_, Effects}) ->
    [Config || {send, control, {configure, _, Config}} <- Effects].

is_open_timer({start_timer, open, _}) -> true;
is_open_timer(_) -> false.

logged(Level, Effects) ->
    [unicode:characters_to_list(Text) || {log, L, Text} <- Effects, L =:= Level].
