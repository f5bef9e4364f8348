%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_duration_tests).

-include_lib("eunit/include/eunit.hrl").

short_durations_are_read_test_() ->
    [
        ?_assertEqual({ok, Ms}, mod_mqtt_rollup_duration:parse(Text))
     || {Text, Ms} <- [
            {<<"90s">>, 90000},
            {<<"5m">>, 300000},
            {<<"1h">>, 3600000},
            {<<"1d">>, 86400000},
            {<<"1w">>, 604800000},
            {<<"5y">>, 5 * 365 * 86400000},
            {<<"250ms">>, 250},
            {<<"1h30m">>, 5400000},
            {<<"1h 30m">>, 5400000},
            {<<"2D">>, 172800000},
            {'15m', 900000}
        ]
    ].

durations_are_read_as_ejabberd_writes_them_test_() ->
    [
        ?_assertEqual({ok, 300000}, mod_mqtt_rollup_duration:parse(<<"5 minutes">>)),
        ?_assertEqual({ok, 1000}, mod_mqtt_rollup_duration:parse(<<"1 second">>)),
        ?_assertEqual({ok, 60000}, mod_mqtt_rollup_duration:parse('1 minute')),
        ?_assertEqual({ok, 60000}, mod_mqtt_rollup_duration:parse(60)),
        ?_assertEqual({ok, 60000}, mod_mqtt_rollup_duration:parse(<<"60">>)),
        ?_assertEqual({ok, 0}, mod_mqtt_rollup_duration:parse(0))
    ].

what_is_no_duration_is_refused_test_() ->
    [
        ?_assertEqual(error, mod_mqtt_rollup_duration:parse(Bad))
     || Bad <- [
            <<>>, <<"m">>, <<"5 parsecs">>, <<"5m x">>, <<"-5m">>, -1, 1.5, <<"1.5h">>, [], <<255, "5m">>,
            <<"9999999999999y">>, binary:copy(<<"1h">>, 100)
        ]
    ].

formatted_durations_read_back_the_same_test_() ->
    [
        ?_assertEqual({ok, Ms}, mod_mqtt_rollup_duration:parse(mod_mqtt_rollup_duration:format(Ms)))
     || Ms <- [0, 1, 999, 1000, 61000, 3600000, 5400000, 86400001, 31536000000]
    ].
