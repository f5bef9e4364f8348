%% SPDX-License-Identifier: GPL-2.0-or-later
-module(mod_mqtt_rollup_notify_tests).

-include_lib("eunit/include/eunit.hrl").
-include("xmpp.hrl").

the_beginning_of_an_alarm_is_one_message_test() ->
    [Message] = messages(#{id => <<"1">>, phase => alarm, replaces => <<>>, fresh => true}),
    ?assertMatch(
        #message{id = <<"1">>, type = chat, lang = <<"en">>, sub_els = [], body = [#text{data = <<"text">>}]},
        Message
    ).

its_end_corrects_the_message_and_makes_a_sound_test() ->
    [Correction, Fresh] = messages(#{id => <<"2">>, phase => ok, replaces => <<"1">>, fresh => true}),
    Xml = iolist_to_binary(fxml:element_to_binary(xmpp:encode(Correction))),
    ?assertNotEqual(nomatch, binary:match(Xml, <<"<replace xmlns='urn:xmpp:message-correct:0' id='1'/>">>)),
    ?assertMatch(#message{id = <<"2">>}, Correction),
    ?assertMatch(#message{id = <<"2-end">>, sub_els = []}, Fresh).

a_short_alarm_ends_with_a_correction_only_test() ->
    ?assertMatch([#message{id = <<"2">>}], messages(#{id => <<"2">>, phase => ok, replaces => <<"1">>, fresh => false})).

an_end_that_corrects_nothing_is_a_message_test() ->
    ?assertMatch(
        [#message{id = <<"2">>, sub_els = []}],
        messages(#{id => <<"2">>, phase => ok, replaces => <<>>, fresh => true})
    ).

messages(Notification) ->
    {ok, _} = application:ensure_all_started(xmpp),
    From = jid:make(<<"alerts">>, <<"rollup.example.org">>),
    To = jid:make(<<"alice">>, <<"example.org">>),
    mod_mqtt_rollup_notify:messages(From, To, <<"en">>, Notification#{body => <<"text">>}).

what_xml_forbids_is_not_in_the_body_test() ->
    {ok, _} = application:ensure_all_started(xmpp),
    Jid = jid:make(<<"a">>, <<"example.org">>),
    Notification = #{id => <<"1">>, phase => alarm, replaces => <<>>, fresh => true, body => <<16#EF, 16#BF, 16#BF>>},
    [#message{body = [#text{data = Body}]}] = mod_mqtt_rollup_notify:messages(Jid, Jid, <<"en">>, Notification),
    ?assertEqual(<<16#FFFD/utf8>>, Body).

%% The owner of the port never waits for a delivery: it is told when it is over, unless its run is.
a_delivery_is_answered_to_the_run_that_sent_it_test_() ->
    {timeout, 20, fun() ->
        VHost = <<"notify.example.org">>,
        ets:new(ejabberd_modules, [named_table, public, {keypos, 2}]),
        Options = #{host => <<"rollup.example.org">>, language => <<"en">>},
        ets:insert(ejabberd_modules, {ejabberd_module, {mod_mqtt_rollup, VHost}, Options, 1}),
        true = register(gen_mod:get_module_proc(VHost, mod_mqtt_rollup_port), self()),
        {ok, Server} = mod_mqtt_rollup_notify:start_link(VHost),
        Port = open_port({spawn_executable, os:find_executable("cat")}, [binary]),
        Deliver = fun(Id) ->
            mod_mqtt_rollup_notify:deliver(VHost, Port, Id, #{to => [], topic => <<"t">>})
        end,
        Deliver(7),
        receive
            {'$gen_cast', Answer} -> ?assertEqual({of_run, Port, {notified, 7}}, Answer)
        after 5000 -> ?assert(false)
        end,
        port_close(Port),
        Deliver(8),
        _ = sys:get_state(Server),
        ?assertEqual({messages, []}, process_info(self(), messages)),
        ok = gen_server:stop(Server),
        unregister(gen_mod:get_module_proc(VHost, mod_mqtt_rollup_port)),
        ets:delete(ejabberd_modules)
    end}.
