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
