%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_text_tests).

-include_lib("eunit/include/eunit.hrl").

nothing_that_xml_forbids_gets_into_a_stanza_test_() ->
    [
        ?_assertEqual({message, [Fit]}, mod_mqtt_rollup_text:xml({message, [Given]}))
     || {Given, Fit} <- [
            {<<"a\t\r\nb">>, <<"a\t\r\nb">>},
            {<<"°C"/utf8>>, <<"°C"/utf8>>},
            {<<0, "a", 31, 127>>, <<16#FFFD/utf8, "a", 16#FFFD/utf8, 127>>},
            {<<"a", 16#EF, 16#BF, 16#BE, 16#EF, 16#BF, 16#BF>>, <<"a", 16#FFFD/utf8, 16#FFFD/utf8>>},
            {<<16#10000/utf8, 255>>, <<16#10000/utf8, 16#FFFD/utf8>>}
        ]
    ].

a_line_of_a_log_cannot_be_forged_test_() ->
    [
        ?_assertEqual(Shown, mod_mqtt_rollup_text:printable(Given))
     || {Given, Shown} <- [
            {<<"a\nb">>, <<"a\\nb">>},
            {<<"\e[31m">>, <<"\\x{1b}[31m">>},
            {<<16#85/utf8, 16#2028/utf8>>, <<"\\x{85}\\x{2028}">>},
            {<<"ü"/utf8>>, <<"ü"/utf8>>},
            {<<"a", 255>>, <<"aÿ"/utf8>>},
            {none, <<"none">>}
        ]
    ].
