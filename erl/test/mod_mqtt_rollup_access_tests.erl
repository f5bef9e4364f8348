%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_access_tests).

-include_lib("eunit/include/eunit.hrl").

users_of_other_hosts_may_ask_as_administrators_only_test_() ->
    {setup,
        fun() ->
            {ok, _} = application:ensure_all_started(xmpp),
            ets:new(ejabberd_modules, [named_table, public, {keypos, 2}])
        end,
        fun ets:delete/1, [
            ?_assertEqual(Expected, may_ask(Server, Access, Admin))
         || {Expected, Server, Access, Admin} <- [
                {true, <<"example.org">>, all, none},
                {false, <<"example.org">>, none, none},
                {false, <<"second.example.org">>, all, none},
                {true, <<"second.example.org">>, none, all}
            ]
        ]}.

may_ask(Server, Access, Admin) ->
    Options = #{access => Access, access_admin => Admin},
    ets:insert(ejabberd_modules, {ejabberd_module, {mod_mqtt_rollup, <<"example.org">>}, Options, 1}),
    Jid = jid:make(<<"alice">>, Server),
    mod_mqtt_rollup_access:may_ask(mod_mqtt_rollup_access:subject(<<"example.org">>, Jid)).
