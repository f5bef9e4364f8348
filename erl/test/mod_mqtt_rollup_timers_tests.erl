%% SPDX-License-Identifier: GPL-2.0-or-later

-module(mod_mqtt_rollup_timers_tests).

-include_lib("eunit/include/eunit.hrl").

-define(TIMERS, mod_mqtt_rollup_timers).

a_timer_is_over_once_test() ->
    Timers = ?TIMERS:start(a, 1, ?TIMERS:new()),
    ?assert(?TIMERS:is_running(a, Timers)),
    ?assertNot(?TIMERS:is_running(b, Timers)),
    Ref = next(a),
    {true, Rest} = ?TIMERS:expired(a, Ref, Timers),
    ?assertNot(?TIMERS:is_running(a, Rest)),
    ?assertEqual(false, ?TIMERS:expired(a, Ref, Rest)).

one_that_was_cancelled_or_started_again_too_late_does_not_count_test() ->
    Timers = ?TIMERS:start(a, 0, ?TIMERS:new()),
    Ref = next(a),
    Again = ?TIMERS:start(a, 1, Timers),
    ?assertEqual(false, ?TIMERS:expired(a, Ref, Again)),
    ?assertEqual(false, ?TIMERS:expired(a, Ref, ?TIMERS:cancel(a, Timers))),
    ?assertMatch({true, _}, ?TIMERS:expired(a, next(a), Again)).

one_that_is_cancelled_in_time_never_comes_test() ->
    Timers = ?TIMERS:cancel(a, ?TIMERS:start(a, 20, ?TIMERS:new())),
    ?assertEqual(Timers, ?TIMERS:cancel(a, Timers)),
    receive
        {timeout, _, a} -> ?assert(false)
    after 50 -> ok
    end.

next(Name) ->
    receive
        {timeout, Ref, Name} -> Ref
    after 1000 -> error(timeout)
    end.
