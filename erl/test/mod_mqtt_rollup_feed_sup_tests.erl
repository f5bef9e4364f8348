%% SPDX-License-Identifier: GPL-2.0-or-later

%% The life of a feed beside its module.
-module(mod_mqtt_rollup_feed_sup_tests).

-include_lib("eunit/include/eunit.hrl").

-import(mod_mqtt_rollup_feed_fixture, [
    with_feed/2, load/1, publish/2, info/0, crash_until_gone/1, wait_for/1, name/1
]).

-define(HOST, <<"example.org">>).
-define(FAKE, mod_mqtt_rollup_fake_mqtt).
-define(FEED, mod_mqtt_rollup_feed).

a_module_that_starts_again_goes_on_with_the_same_feed_test() ->
    with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
        publish(<<"home/a/t">>, <<"1">>),
        ok = ?FEED:linger(?HOST),
        ?FAKE:unload(?HOST, mod_mqtt_rollup),
        publish(<<"home/a/t">>, <<"2">>),
        load(#{}),
        ok = mod_mqtt_rollup_feed_sup:start(?HOST),
        ?assertEqual(Feed, whereis(name(?FEED))),
        ?assertMatch(#{waiting := 2}, info())
    end).

a_feed_that_has_ended_takes_its_supervisor_with_it_and_can_be_started_again_test() ->
    with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
        publish(<<"home/a/t">>, <<"1">>),
        ok = gen_server:stop(Feed),
        ok = mod_mqtt_rollup_feed_sup:start(?HOST),
        ?assertNotEqual(Feed, whereis(name(?FEED))),
        ?assertMatch(#{waiting := 1}, info()),
        ok = mod_mqtt_rollup_feed_sup:stop(?HOST),
        ?assertEqual([], supervisor:which_children(ejabberd_gen_mod_sup)),
        ?assertEqual({error, unavailable}, ?FEED:info(?HOST))
    end).

a_feed_that_crashes_too_often_is_started_again_test() ->
    with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
        Sup = whereis(name(mod_mqtt_rollup_feed_sup)),
        ok = mod_mqtt_rollup_feed_sup:check(?HOST),
        ?assertEqual(Feed, whereis(name(?FEED))),
        Ref = monitor(process, Sup),
        crash_until_gone(Ref),
        ?assertEqual({error, unavailable}, ?FEED:info(?HOST)),
        ok = mod_mqtt_rollup_feed_sup:check(?HOST),
        wait_for(fun() -> element(1, ?FEED:info(?HOST)) =:= ok end),
        publish(<<"home/a/t">>, <<"1">>),
        ?assertMatch(#{waiting := 1}, info())
    end).

a_feed_of_a_module_that_is_gone_is_not_started_again_test() ->
    with_feed(#{start => later}, fun(_) ->
        ?FAKE:unload(?HOST, mod_mqtt_rollup),
        ok = mod_mqtt_rollup_feed_sup:check(?HOST),
        timer:sleep(100),
        ?assertEqual(undefined, whereis(name(mod_mqtt_rollup_feed_sup)))
    end).

a_feed_that_crashes_comes_back_and_asks_for_the_program_test() ->
    register(name(mod_mqtt_rollup_port), self()),
    try
        with_feed(#{start => supervised}, fun(#{feed := Feed}) ->
            receive
                {'$gen_cast', feed_started} -> ok
            after 2000 -> ?assert(false)
            end,
            exit(Feed, kill),
            receive
                {'$gen_cast', feed_started} -> ok
            after 2000 -> ?assert(false)
            end,
            publish(<<"home/a/t">>, <<"1">>),
            ?assertMatch(#{waiting := 1}, info())
        end)
    after
        unregister(name(mod_mqtt_rollup_port))
    end.
