%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_sessions_tests).

-include_lib("eunit/include/eunit.hrl").

-define(ALICE, {<<"alice">>, <<"h">>, <<"phone">>}).

a_session_is_found_until_ten_minutes_after_it_was_used_last_test() ->
    S1 = store(?ALICE, <<"a">>, 0, mod_mqtt_rollup_sessions:new()),
    ?assertEqual({session, <<"a">>}, find(?ALICE, <<"a">>, 599999, S1)),
    ?assertEqual(none, find(?ALICE, <<"a">>, 600000, S1)),
    S2 = store(?ALICE, <<"a">>, 599999, S1),
    ?assertEqual({session, <<"a">>}, find(?ALICE, <<"a">>, 600000, S2)),
    ?assertEqual(none, find(?ALICE, <<"a">>, 1, mod_mqtt_rollup_sessions:remove(?ALICE, <<"a">>, S1))).

a_session_belongs_to_one_client_and_one_command_test() ->
    Tablet = {<<"alice">>, <<"h">>, <<"tablet">>},
    S = store(?ALICE, <<"a">>, 0, mod_mqtt_rollup_sessions:new()),
    ?assertEqual(none, find(Tablet, <<"a">>, 1, S)),
    ?assertEqual(none, mod_mqtt_rollup_sessions:find(?ALICE, {<<"a">>, <<"other">>}, 1, S)),
    %% Nor does anybody overwrite or end it.
    S1 = mod_mqtt_rollup_sessions:remove(Tablet, <<"a">>, store(Tablet, <<"a">>, 1, S)),
    ?assertEqual({session, <<"a">>}, find(?ALICE, <<"a">>, 2, S1)).

one_user_does_not_use_up_the_sessions_of_the_others_test() ->
    Bob = {<<"bob">>, <<"h">>, <<"phone">>},
    S = store_many(2000, fun(N) -> {<<"bob">>, <<"h">>, integer_to_binary(N rem 7)} end,
                   store(?ALICE, <<"a">>, 0, mod_mqtt_rollup_sessions:new())),
    ?assertEqual({session, <<"a">>}, find(?ALICE, <<"a">>, 2001, S)),
    ?assertEqual({session, <<"b">>}, find(Bob, <<"b">>, 2001, store(Bob, <<"b">>, 2001, S))).

the_oldest_session_of_a_user_makes_room_test() ->
    S = store_many(17, fun(_) -> ?ALICE end, mod_mqtt_rollup_sessions:new()),
    Found = [N || N <- lists:seq(1, 17), find(?ALICE, integer_to_binary(N), 18, S) =/= none],
    ?assertEqual(lists:seq(2, 17), Found).

the_oldest_session_of_all_makes_room_test() ->
    S = store_many(1001, fun user/1, mod_mqtt_rollup_sessions:new()),
    ?assertEqual(none, find(user(1), <<"1">>, 1002, S)),
    ?assertEqual({session, <<"2">>}, find(user(2), <<"2">>, 1002, S)),
    ?assertEqual({session, <<"1001">>}, find(user(1001), <<"1001">>, 1002, S)).

%%% Helpers

user(N) ->
    {integer_to_binary(N), <<"h">>, <<"phone">>}.

store_many(Count, Owner, Sessions) ->
    lists:foldl(fun(N, S) -> store(Owner(N), integer_to_binary(N), N, S) end, Sessions, lists:seq(1, Count)).

store(Owner, Sid, Now, Sessions) ->
    mod_mqtt_rollup_sessions:store(Owner, Sid, <<"history">>, {session, Sid}, Now, Sessions).

find(Owner, Sid, Now, Sessions) ->
    mod_mqtt_rollup_sessions:find(Owner, {Sid, <<"history">>}, Now, Sessions).
