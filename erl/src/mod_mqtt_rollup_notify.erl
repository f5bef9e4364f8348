%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Alerts as chat messages. The beginning of an alarm is a message, its end corrects that message
%% (XEP-0308); a client makes no sound for a correction, so a new message may come too.
-module(mod_mqtt_rollup_notify).

-export([deliver/3, messages/4]).

-include("xmpp.hrl").

-define(NS_CORRECT, <<"urn:xmpp:message-correct:0">>).
%% What is older gets a stamp that says when it happened.
-define(DELAYED_MS, 60000).

%% @doc Sends a notification to everybody it is for. Returns those who may not see its topic, and so
%% got nothing. Never raises: what cannot be delivered is the router's business.
-spec deliver(binary(), mod_mqtt_rollup_config:options(), map()) -> [{Jid :: binary(), Topic :: binary()}].
deliver(VHost, #{host := MyHost, language := Lang}, #{to := To, topic := Topic} = Notification) ->
    From = jid:make(<<"alerts">>, MyHost),
    lists:filtermap(
        fun(Address) ->
            try jid:decode(Address) of
                Jid ->
                    case mod_mqtt_rollup_access:may_be_told(VHost, Jid, Topic) of
                        true ->
                            Now = erlang:system_time(millisecond),
                            Messages = messages(From, Jid, Lang, Notification),
                            [ejabberd_router:route(stamp(M, Notification, From, Now)) || M <- Messages],
                            false;
                        false ->
                            {true, {Address, Topic}}
                    end
            catch
                error:{bad_jid, _} -> false
            end
        end,
        To
    ).

%% @doc The messages of a notification for one recipient. Their ids are the same if the notification
%% is sent once more after a crash.
-spec messages(jid:jid(), jid:jid(), binary(), map()) -> [message()].
messages(From, To, Lang, #{id := Id, body := Body} = Notification) ->
    Message = #message{
        id = Id, type = chat, lang = Lang, from = From, to = To, body = xmpp:mk_text(Body)
    },
    case Notification of
        #{phase := ok, replaces := Replaced, fresh := Fresh} when Replaced =/= <<>> ->
            Correction = Message#message{
                sub_els = [
                    #xmlel{
                        name = <<"replace">>,
                        attrs = [{<<"xmlns">>, ?NS_CORRECT}, {<<"id">>, Replaced}]
                    }
                ]
            },
            [Correction | [Message#message{id = <<Id/binary, "-end">>} || Fresh]];
        _ ->
            [Message]
    end.

-spec stamp(message(), map(), jid:jid(), integer()) -> message().
stamp(Message, #{at_ms := At}, #jid{lserver = MyHost}, Now) when is_integer(At), Now - At > ?DELAYED_MS ->
    Stamp = {At div 1000000000, (At div 1000) rem 1000000, (At rem 1000) * 1000},
    misc:add_delay_info(Message, jid:make(MyHost), Stamp);
stamp(Message, _, _, _) ->
    Message.
