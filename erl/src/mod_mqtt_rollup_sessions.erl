%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Sessions of ad-hoc commands. Each belongs to one full JID and ends some time after it was last
%% used. When there are too many, of one user or of all, the one that would end first makes room. Pure;
%% times are milliseconds of the monotonic clock.
-module(mod_mqtt_rollup_sessions).

-export([new/0, find/4, store/6, remove/3]).

-export_type([sessions/1]).

-define(SESSION_MS, 600000).
-define(SESSIONS_MAX, 1000).
%% Of a bare JID: nobody can use up those of the others.
-define(SESSIONS_PER_USER, 16).

-opaque sessions(Session) :: #{
    {jid:ljid(), Sid :: binary()} => {Node :: binary(), Session, Expires :: integer()}
}.

-spec new() -> sessions(_).
new() ->
    #{}.

%% @doc The session of a command, if it is still there.
-spec find(jid:ljid(), {Sid :: binary(), Node :: binary()}, Now :: integer(), sessions(Session)) ->
    none | Session.
find(Owner, {Sid, Node}, Now, Sessions) ->
    case Sessions of
        #{{Owner, Sid} := {Node, Session, Expires}} when Expires > Now -> Session;
        _ -> none
    end.

%% @doc Keeps a session, or lets it live on.
-spec store(jid:ljid(), binary(), binary(), Session, Now :: integer(), sessions(Session)) -> sessions(Session).
store(Owner, Sid, Node, Session, Now, Sessions) ->
    Others = remove(Owner, Sid, Sessions),
    User = jid:remove_resource(Owner),
    IsMine = fun({Jid, _}) -> jid:remove_resource(Jid) =:= User end,
    Kept = make_room(fun(_) -> true end, ?SESSIONS_MAX, make_room(IsMine, ?SESSIONS_PER_USER, Others)),
    Kept#{{Owner, Sid} => {Node, Session, Now + ?SESSION_MS}}.

-spec remove(jid:ljid(), Sid :: binary(), sessions(Session)) -> sessions(Session).
remove(Owner, Sid, Sessions) ->
    maps:remove({Owner, Sid}, Sessions).

%% Fewer than so many of those that are meant.
-spec make_room(fun((Key) -> boolean()), pos_integer(), sessions(Session)) -> sessions(Session) when
    Key :: {jid:ljid(), binary()}.
make_room(IsMeant, Max, Sessions) ->
    Meant = lists:sort([{Expires, Key} || {Key, {_, _, Expires}} <- maps:to_list(Sessions), IsMeant(Key)]),
    case length(Meant) < Max of
        true ->
            Sessions;
        false ->
            [{_, Oldest} | _] = Meant,
            maps:remove(Oldest, Sessions)
    end.
