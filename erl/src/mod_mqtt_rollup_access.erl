%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Who may ask, and who may see which series.
%%
%% A series is visible to those who could subscribe to its source topic at this virtual host's
%% mod_mqtt; it is the concrete topic that is looked at, never a filter. For people whom mod_mqtt
%% knows nothing about (of other hosts, or where it is not loaded) `access_admin' decides; `access' is
%% about users of this virtual host alone.
-module(mod_mqtt_rollup_access).

-export([subject/2, may_ask/1, is_admin/1, who/1, may_see/2, may_be_told/3]).

-export_type([subject/0]).

-include("xmpp.hrl").

-opaque subject() :: #{
    who := term(),
    ask := boolean(),
    admin := boolean(),
    %% Whether a topic may be subscribed to; `unknown' where mod_mqtt cannot say.
    topic := unknown | fun((binary()) -> boolean())
}.

%% @doc What is allowed to somebody, by the options of the virtual host.
-spec subject(binary(), jid:jid()) -> subject().
subject(VHost, Jid) ->
    Options = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
    Match = fun(Access) -> acl:match_rule(VHost, maps:get(Access, Options), Jid) =:= allow end,
    Admin = Match(access_admin),
    %% ejabberd's rule `local' takes in the users of its other virtual hosts too.
    IsOurs = Jid#jid.lserver =:= VHost,
    #{
        who => {VHost, jid:remove_resource(jid:tolower(Jid))},
        ask => Admin orelse (IsOurs andalso Match(access)),
        admin => Admin,
        topic => topic_check(VHost, Jid)
    }.

%% @doc Who it is, to whom: what is made for one asker at a virtual host is told from others' by it.
-spec who(subject()) -> term().
who(#{who := Who}) ->
    Who.

-spec may_ask(subject()) -> boolean().
may_ask(#{ask := Ask}) ->
    Ask.

-spec is_admin(subject()) -> boolean().
is_admin(#{admin := Admin}) ->
    Admin.

%% @doc May a series with this source topic be shown?
-spec may_see(subject(), Topic :: binary()) -> boolean().
may_see(#{topic := unknown, admin := Admin}, _) ->
    Admin;
may_see(#{topic := Check}, Topic) ->
    Check(Topic).

%% @doc May an alert about this topic be sent to a recipient of the configuration? Strangers were
%% chosen by whoever wrote it; people of this virtual host must be allowed to see the topic.
-spec may_be_told(binary(), jid:jid(), Topic :: binary()) -> boolean().
may_be_told(VHost, Jid, Topic) ->
    case topic_check(VHost, Jid) of
        unknown -> true;
        Check -> Check(Topic)
    end.

-spec topic_check(binary(), jid:jid()) -> unknown | fun((binary()) -> boolean()).
topic_check(VHost, Jid) ->
    case jid:tolower(Jid) of
        {User, VHost, _} = Usr when User =/= <<>> ->
            case gen_mod:is_loaded(VHost, mod_mqtt) of
                true -> fun(Topic) -> mod_mqtt:check_subscribe_access(Topic, Usr) =:= allow end;
                false -> unknown
            end;
        _ ->
            unknown
    end.
