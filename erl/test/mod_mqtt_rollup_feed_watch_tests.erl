%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_feed_watch_tests).

-include_lib("eunit/include/eunit.hrl").

a_program_that_does_not_keep_up_is_told_once_and_so_is_its_end_test() ->
    ?assertEqual(
        [nothing, nothing, nothing, slow, nothing, nothing, nothing, well, nothing],
        looks([null, 5000, 10000, 15000, 20000, 12000, 25000, 900, null], true)
    ).

a_program_that_takes_nothing_from_the_beginning_is_told_too_test() ->
    ?assertEqual([nothing, slow, nothing, well], looks([60000, 65000, 70000, null], true)).

a_backlog_that_is_worked_off_is_no_trouble_test() ->
    ?assertEqual([nothing, nothing, nothing, nothing], looks([600000, 400000, 20000, 500], true)).

a_program_that_is_not_there_is_not_slow_test() ->
    ?assertEqual([nothing, nothing, nothing], looks([20000, 25000, 30000], false)),
    {nothing, Away} = mod_mqtt_rollup_feed_watch:look(30000, false, mod_mqtt_rollup_feed_watch:new()),
    %% When it is back it has a moment to begin.
    {nothing, Back} = mod_mqtt_rollup_feed_watch:look(35000, true, Away),
    ?assertMatch({nothing, _}, mod_mqtt_rollup_feed_watch:look(20000, true, Back)).

looks(Ages, HasProgram) ->
    {Told, _} = lists:mapfoldl(
        fun(Age, Watch) -> mod_mqtt_rollup_feed_watch:look(Age, HasProgram, Watch) end,
        mod_mqtt_rollup_feed_watch:new(),
        Ages
    ),
    Told.
