%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The XMPP address of a virtual host's service: discovery, vCard, ad-hoc commands, and the bot
%% that alerts come from. The handlers run in the process of whoever sent the stanza, so they never
%% wait: a command is answered later by a process of its own.
-module(mod_mqtt_rollup_service).

-behaviour(gen_server).

%% API
-export([start_link/1, reload/2, route/1]).
%% Called by gen_iq_handler
-export([process_disco_info/1, process_disco_items/1, process_vcard/1, process_ping/1, process_commands/1]).
%% gen_server callbacks
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).

-include("logger.hrl").
-include("xmpp.hrl").

%% DinoX looks for this in the features of a server's services to find out whether there is MQTT.
-define(NS_MQTT, <<"urn:xmpp:mqtt:0">>).
-define(BOT, <<"alerts">>).
-define(WORKERS_MAX, 100).
%% Questions of one person that wait; one is answered at a time.
-define(WAITING_PER_USER, 3).
-define(CHAT_MS, 60000).
-define(CHATS_MAX, 10000).

-record(state, {
    vhost :: binary(),
    host :: binary(),
    %% Those who are being answered, and what else they asked, oldest first.
    workers = #{} :: #{reference() => {iq(), jid:ljid()}},
    waiting = #{} :: #{jid:ljid() => [iq()]},
    sessions = mod_mqtt_rollup_sessions:new() :: mod_mqtt_rollup_sessions:sessions(
        mod_mqtt_rollup_adhoc:session()
    ),
    %% Who was answered in the chat lately.
    chats = #{} :: #{jid:ljid() => integer()}
}).

-type state() :: #state{}.
-type answer() :: {adhoc_command(), none | mod_mqtt_rollup_adhoc:session()} | stanza_error().

%%%===================================================================
%%% API
%%%===================================================================

-spec start_link(binary()) -> {ok, pid()} | {error, term()} | ignore.
start_link(VHost) ->
    gen_server:start_link({local, name(VHost)}, ?MODULE, VHost, []).

-spec reload(binary(), mod_mqtt_rollup_config:options()) -> ok.
reload(VHost, #{host := MyHost}) ->
    gen_server:cast(name(VHost), {reload, MyHost}).

%% @doc Takes every stanza for the service; runs in the process of the sender.
-spec route(stanza()) -> ok.
route(#iq{to = #jid{luser = User}} = IQ) when User =:= <<>>; User =:= ?BOT ->
    _ = ejabberd_router:process_iq(IQ),
    ok;
route(#message{to = #jid{luser = User}} = Message) when User =:= <<>>; User =:= ?BOT ->
    message(Message);
route(#presence{to = #jid{luser = User}} = Presence) when User =:= <<>>; User =:= ?BOT ->
    presence(Presence);
route(#presence{type = Type}) when Type =:= available; Type =:= unavailable ->
    ok;
route(Stanza) ->
    ejabberd_router:route_error(Stanza, xmpp:err_item_not_found()).

%%%===================================================================
%%% Handlers
%%%===================================================================

-spec process_disco_info(iq()) -> iq().
process_disco_info(#iq{type = set} = IQ) ->
    not_allowed(IQ);
process_disco_info(#iq{to = To, sub_els = [#disco_info{node = Node}]} = IQ) ->
    {VHost, Options, Language} = context(IQ),
    Name = maps:get(name, Options),
    Commands = mod_mqtt_rollup_adhoc:commands(),
    case {To#jid.luser, Node, lists:keyfind(Node, 1, Commands)} of
        {?BOT, <<>>, _} ->
            disco_info(IQ, <<"client">>, <<"bot">>, Name, [?NS_VCARD, ?NS_PING], []);
        {<<>>, <<>>, _} ->
            Xdata = ejabberd_hooks:run_fold(disco_info, VHost, [], [VHost, ?MODULE, <<>>, Language]),
            Features = [?NS_DISCO_ITEMS, ?NS_COMMANDS, ?NS_VCARD, ?NS_PING, ?NS_MQTT],
            disco_info(IQ, <<"component">>, <<"generic">>, Name, Features, Xdata);
        {<<>>, ?NS_COMMANDS, _} ->
            disco_info(IQ, <<"automation">>, <<"command-list">>,
                       mod_mqtt_rollup_text:t(Language, commands), [], []);
        {<<>>, _, {_, Command}} ->
            disco_info(IQ, <<"automation">>, <<"command-node">>,
                       mod_mqtt_rollup_text:t(Language, Command), [?NS_COMMANDS, ?NS_XDATA], []);
        _ ->
            xmpp:make_error(IQ, xmpp:err_item_not_found())
    end.

-spec process_disco_items(iq()) -> iq().
process_disco_items(#iq{type = set} = IQ) ->
    not_allowed(IQ);
process_disco_items(#iq{to = To, sub_els = [#disco_items{node = Node}]} = IQ) ->
    {VHost, _, Language} = context(IQ),
    case {To#jid.luser, Node} of
        {<<>>, ?NS_COMMANDS} ->
            Subject = mod_mqtt_rollup_access:subject(VHost, IQ#iq.from),
            Items = [
                #disco_item{jid = To, node = Command, name = mod_mqtt_rollup_text:t(Language, Name)}
             || {Command, Name} <- mod_mqtt_rollup_adhoc:commands(),
                mod_mqtt_rollup_access:may_ask(Subject)
            ],
            xmpp:make_iq_result(IQ, #disco_items{node = Node, items = Items});
        {_, <<>>} ->
            xmpp:make_iq_result(IQ, #disco_items{});
        _ ->
            xmpp:make_error(IQ, xmpp:err_item_not_found())
    end.

-spec process_vcard(iq()) -> iq().
process_vcard(#iq{type = set} = IQ) ->
    not_allowed(IQ);
process_vcard(#iq{type = get} = IQ) ->
    {_, Options, Language} = context(IQ),
    xmpp:make_iq_result(IQ, #vcard_temp{
        fn = maps:get(name, Options), desc = mod_mqtt_rollup_text:t(Language, description)
    }).

-spec process_ping(iq()) -> iq().
process_ping(#iq{type = set} = IQ) ->
    not_allowed(IQ);
process_ping(#iq{type = get} = IQ) ->
    xmpp:make_iq_result(IQ).

-spec process_commands(iq()) -> iq() | ignore.
process_commands(#iq{type = get} = IQ) ->
    not_allowed(IQ);
process_commands(#iq{to = To, sub_els = [#adhoc_command{}]} = IQ) ->
    gen_server:cast(name(ejabberd_router:host_of_route(To#jid.lserver)), {command, IQ}),
    ignore.

%%%===================================================================
%%% gen_server callbacks
%%%===================================================================

-spec init(binary()) -> {ok, state()}.
init(VHost) ->
    process_flag(trap_exit, true),
    #{host := MyHost} = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
    attach(VHost, MyHost),
    {ok, #state{vhost = VHost, host = MyHost}}.

-spec handle_call(term(), gen_server:from(), state()) -> {noreply, state()}.
handle_call(Request, From, State) ->
    ?WARNING_MSG("Unexpected call from ~p: ~p", [From, Request]),
    {noreply, State}.

-spec handle_cast(term(), state()) -> {noreply, state()}.
handle_cast({command, IQ}, State) ->
    {noreply, command(IQ, State)};
handle_cast({done, IQ, Answer}, State) ->
    {noreply, done(IQ, Answer, State)};
handle_cast({chat, Message}, State) ->
    {noreply, chat(Message, State)};
handle_cast({reload, MyHost}, #state{vhost = VHost, host = OldHost} = State) ->
    case MyHost of
        OldHost ->
            ok;
        _ ->
            attach(VHost, MyHost),
            detach(OldHost)
    end,
    {noreply, State#state{host = MyHost}};
handle_cast(Message, State) ->
    ?WARNING_MSG("Unexpected cast: ~p", [Message]),
    {noreply, State}.

-spec handle_info(term(), state()) -> {noreply, state()}.
handle_info({'DOWN', Ref, process, _, Reason}, #state{workers = Workers} = State) ->
    case maps:take(Ref, Workers) of
        {{IQ, User}, Rest} ->
            Reason =:= normal orelse failed(IQ, Reason),
            {noreply, next_of(User, State#state{workers = Rest})};
        error ->
            {noreply, State}
    end;
handle_info({route, Stanza}, State) ->
    %% From another node of a cluster.
    route(Stanza),
    {noreply, State};
handle_info(Message, State) ->
    ?WARNING_MSG("Unexpected info: ~p", [Message]),
    {noreply, State}.

-spec terminate(term(), state()) -> ok.
terminate(_Reason, #state{host = MyHost}) ->
    detach(MyHost).

%%%===================================================================
%%% Routes
%%%===================================================================

-spec attach(binary(), binary()) -> ok.
attach(VHost, MyHost) ->
    lists:foreach(
        fun({Component, Namespace, Function}) ->
            gen_iq_handler:add_iq_handler(Component, MyHost, Namespace, ?MODULE, Function)
        end,
        handlers()
    ),
    ejabberd_router:register_route(MyHost, VHost, {apply, ?MODULE, route}).

-spec detach(binary()) -> ok.
detach(MyHost) ->
    ejabberd_router:unregister_route(MyHost),
    lists:foreach(
        fun({Component, Namespace, _}) ->
            gen_iq_handler:remove_iq_handler(Component, MyHost, Namespace)
        end,
        handlers()
    ).

%% Stanzas for the bot go to the handlers of ejabberd_sm, those for the bare host to ejabberd_local.
-spec handlers() -> [{ejabberd_local | ejabberd_sm, binary(), atom()}].
handlers() ->
    Both = [
        {?NS_DISCO_INFO, process_disco_info},
        {?NS_DISCO_ITEMS, process_disco_items},
        {?NS_VCARD, process_vcard},
        {?NS_PING, process_ping}
    ],
    [{ejabberd_local, ?NS_COMMANDS, process_commands}] ++
        [{Component, NS, F} || Component <- [ejabberd_local, ejabberd_sm], {NS, F} <- Both].

%%%===================================================================
%%% Commands
%%%===================================================================

-spec command(iq(), state()) -> state().
command(#iq{from = From} = IQ, #state{workers = Workers, waiting = Waiting} = State) ->
    User = jid:remove_resource(jid:tolower(From)),
    case Waiting of
        #{User := IQs} when length(IQs) < ?WAITING_PER_USER ->
            State#state{waiting = Waiting#{User := IQs ++ [IQ]}};
        #{User := _} ->
            busy(IQ, State);
        _ when map_size(Workers) < ?WORKERS_MAX ->
            start(User, IQ, State#state{waiting = Waiting#{User => []}});
        _ ->
            busy(IQ, State)
    end.

%% Goes on with what somebody asked meanwhile.
-spec next_of(jid:ljid(), state()) -> state().
next_of(User, #state{waiting = Waiting} = State) ->
    case Waiting of
        #{User := [IQ | IQs]} -> start(User, IQ, State#state{waiting = Waiting#{User := IQs}});
        _ -> State#state{waiting = maps:remove(User, Waiting)}
    end.

-spec start(jid:ljid(), iq(), state()) -> state().
start(User, IQ, #state{vhost = VHost, workers = Workers} = State) ->
    Session = session(IQ, State),
    Service = self(),
    {_, Ref} = spawn_monitor(fun() ->
        gen_server:cast(Service, {done, IQ, run(VHost, IQ, Session)})
    end),
    State#state{workers = Workers#{Ref => {IQ, User}}}.

-spec busy(iq(), state()) -> state().
busy(IQ, State) ->
    {_, _, Language} = context(IQ),
    Error = xmpp:err_resource_constraint(mod_mqtt_rollup_text:t(Language, busy), IQ#iq.lang),
    ejabberd_router:route_error(IQ, Error),
    State.

-spec failed(iq(), term()) -> ok.
failed(IQ, Reason) ->
    ?ERROR_MSG("mod_mqtt_rollup: a command failed: ~P", [Reason, 20]),
    ejabberd_router:route_error(IQ, xmpp:err_internal_server_error()).

%% The session that a command goes on with.
-spec session(iq(), state()) -> none | mod_mqtt_rollup_adhoc:session().
session(#iq{from = From, sub_els = [#adhoc_command{sid = Sid, node = Node}]}, #state{sessions = Sessions}) ->
    Now = erlang:monotonic_time(millisecond),
    mod_mqtt_rollup_sessions:find(jid:tolower(From), {Sid, Node}, Now, Sessions).

%% The session is kept before the answer goes out: the next question about it may be quick.
-spec done(iq(), answer(), state()) -> state().
done(#iq{from = From} = IQ, {#adhoc_command{sid = Sid, node = Node} = Reply, Session}, State) ->
    #state{sessions = Sessions} = State,
    Owner = jid:tolower(From),
    Kept =
        case Session of
            none ->
                mod_mqtt_rollup_sessions:remove(Owner, Sid, Sessions);
            _ ->
                Now = erlang:monotonic_time(millisecond),
                mod_mqtt_rollup_sessions:store(Owner, Sid, Node, Session, Now, Sessions)
        end,
    ejabberd_router:route(xmpp:make_iq_result(IQ, Reply)),
    State#state{sessions = Kept};
done(IQ, #stanza_error{} = Error, State) ->
    ejabberd_router:route_error(IQ, Error),
    State.

%% In the worker, which may wait for the program.
-spec run(binary(), iq(), none | mod_mqtt_rollup_adhoc:session()) -> answer().
run(VHost, #iq{from = From, sub_els = [Received]} = IQ, Session) ->
    {_, Options, Language} = context(IQ),
    #{limits := #{rows := RowsMax}} = mod_mqtt_rollup_config:rules(Options),
    Page = #{language => Language, rows_max => RowsMax},
    Subject = mod_mqtt_rollup_access:subject(VHost, From),
    Result =
        case mod_mqtt_rollup_access:may_ask(Subject) of
            true -> execute(VHost, Subject, with_sid(Received), Session, Page);
            false -> {error, {denied, <<>>, mod_mqtt_rollup_text:t(Language, denied)}}
        end,
    case Result of
        {error, Failure} -> mod_mqtt_rollup_text:xml(stanza_error(Failure, IQ, Page));
        {Reply, Next} -> {mod_mqtt_rollup_text:xml(Reply), Next}
    end.

-spec execute(
    binary(),
    mod_mqtt_rollup_access:subject(),
    adhoc_command(),
    none | mod_mqtt_rollup_adhoc:session(),
    mod_mqtt_rollup_adhoc:page()
) -> answer() | {error, mod_mqtt_rollup_query:failure()}.
execute(VHost, Subject, Command, none, Page) ->
    case mod_mqtt_rollup_adhoc:first(Command, Page) of
        {ask, Ask} -> ask(VHost, Subject, Command, Ask, Ask, Page);
        {error, {Code, Message}} -> {error, {Code, <<>>, Message}};
        {_, Reply} -> {Reply, none}
    end;
execute(VHost, Subject, #adhoc_command{action = Action} = Command, Session, Page) ->
    case mod_mqtt_rollup_adhoc:page(Action, Session) of
        {ask, #{ask := Ask} = Session1} -> ask(VHost, Subject, Command, Ask, Session1, Page);
        finished -> {mod_mqtt_rollup_adhoc:finished(Command, completed), none};
        canceled -> {mod_mqtt_rollup_adhoc:finished(Command, canceled), none}
    end.

-spec ask(
    binary(),
    mod_mqtt_rollup_access:subject(),
    adhoc_command(),
    mod_mqtt_rollup_query:ask(),
    mod_mqtt_rollup_query:ask() | mod_mqtt_rollup_adhoc:session(),
    mod_mqtt_rollup_adhoc:page()
) -> answer() | {error, mod_mqtt_rollup_query:failure()}.
ask(VHost, Subject, Command, Ask, Where, Page) ->
    case mod_mqtt_rollup_query:ask(VHost, Subject, Ask) of
        {ok, Answer} -> mod_mqtt_rollup_adhoc:answer(Command, Where, with_feed(VHost, Ask, Answer), Page);
        {error, Failure} -> {error, Failure}
    end.

%% The program does not know what waits for it.
-spec with_feed(binary(), mod_mqtt_rollup_query:ask(), map()) -> map().
with_feed(VHost, status, Answer) ->
    case mod_mqtt_rollup_feed:info(VHost) of
        {ok, Feed} -> Answer#{feed => Feed};
        {error, unavailable} -> Answer
    end;
with_feed(_, _, Answer) ->
    Answer.

%% Without an id of our own, xmpp_util would make a guessable one.
-spec with_sid(adhoc_command()) -> adhoc_command().
with_sid(#adhoc_command{sid = <<>>} = Command) ->
    Command#adhoc_command{sid = p1_rand:get_string()};
with_sid(Command) ->
    Command.

-spec stanza_error(mod_mqtt_rollup_query:failure(), iq(), mod_mqtt_rollup_adhoc:page()) -> stanza_error().
stanza_error({not_found, <<"series">>, _}, #iq{lang = Lang}, #{language := L}) ->
    xmpp:err_item_not_found(mod_mqtt_rollup_text:t(L, no_series), Lang);
stanza_error({alike, _, Names}, #iq{lang = Lang}, #{language := L}) ->
    xmpp:err_item_not_found(mod_mqtt_rollup_text:t(L, series_alike, [Names]), Lang);
stanza_error({not_found, _, Message}, #iq{lang = Lang}, _) ->
    xmpp:err_item_not_found(Message, Lang);
stanza_error({denied, _, Message}, #iq{lang = Lang}, _) ->
    xmpp:err_forbidden(Message, Lang);
stanza_error({expired, _, Message}, #iq{lang = Lang}, _) ->
    xmpp:err_not_allowed(Message, Lang);
stanza_error({timeout, _, Message}, #iq{lang = Lang}, _) ->
    xmpp:err_remote_server_timeout(Message, Lang);
stanza_error({unavailable, _, Message}, #iq{lang = Lang}, _) ->
    xmpp:err_service_unavailable(Message, Lang);
stanza_error({storage, _, Message}, #iq{lang = Lang}, _) ->
    xmpp:err_internal_server_error(Message, Lang);
stanza_error({_, <<>>, Message}, #iq{lang = Lang}, _) ->
    xmpp:err_bad_request(Message, Lang);
stanza_error({_, Place, Message}, #iq{lang = Lang}, #{language := L}) ->
    xmpp:err_bad_request(mod_mqtt_rollup_text:t(L, bad_field, [Place, Message]), Lang).

%%%===================================================================
%%% The bot
%%%===================================================================

-spec message(message()) -> ok.
message(#message{type = Type}) when Type =:= error; Type =:= headline ->
    ok;
message(#message{type = groupchat} = Message) ->
    ejabberd_router:route_error(Message, xmpp:err_service_unavailable());
message(#message{from = From, to = To, body = Body} = Message) ->
    VHost = ejabberd_router:host_of_route(To#jid.lserver),
    case {Body, mod_mqtt_rollup_access:may_ask(mod_mqtt_rollup_access:subject(VHost, From))} of
        {[], _} -> ok;
        {_, true} -> gen_server:cast(name(VHost), {chat, Message});
        {_, false} -> ejabberd_router:route_error(Message, xmpp:err_forbidden())
    end.

%% One line, and no more than one a minute, so that two programs cannot talk to each other for ever.
-spec chat(message(), state()) -> state().
chat(#message{from = From, to = To, type = Type, thread = Thread} = Message, #state{chats = Chats} = State) ->
    User = jid:remove_resource(jid:tolower(From)),
    Now = erlang:monotonic_time(millisecond),
    Recent =
        case map_size(Chats) < ?CHATS_MAX of
            true -> Chats;
            false -> maps:filter(fun(_, At) -> Now - At < ?CHAT_MS end, Chats)
        end,
    case Recent of
        #{User := At} when Now - At < ?CHAT_MS ->
            State#state{chats = Recent};
        _ when map_size(Recent) >= ?CHATS_MAX ->
            State#state{chats = Recent};
        _ ->
            {_, _, Language} = context(Message),
            Text = mod_mqtt_rollup_text:t(Language, chat_help, [To#jid.lserver]),
            ejabberd_router:route(#message{
                id = p1_rand:get_string(),
                type = Type,
                from = jid:remove_resource(To),
                to = From,
                thread = Thread,
                lang = atom_to_binary(Language, utf8),
                body = xmpp:mk_text(Text)
            }),
            State#state{chats = Recent#{User => Now}}
    end.

%% The bot can be put into a roster by everybody who may ask, and is there whenever they look.
-spec presence(presence()) -> ok.
presence(#presence{type = Type, from = From, to = To}) when Type =:= subscribe; Type =:= probe ->
    VHost = ejabberd_router:host_of_route(To#jid.lserver),
    Bot = jid:remove_resource(To),
    User = jid:remove_resource(From),
    case {mod_mqtt_rollup_access:may_ask(mod_mqtt_rollup_access:subject(VHost, From)), Type} of
        {true, subscribe} ->
            ejabberd_router:route(#presence{type = subscribed, from = Bot, to = User}),
            ejabberd_router:route(#presence{type = available, from = Bot, to = User});
        {true, probe} ->
            ejabberd_router:route(#presence{type = available, from = Bot, to = From});
        {false, _} ->
            ejabberd_router:route(#presence{type = unsubscribed, from = Bot, to = User})
    end;
presence(#presence{type = unsubscribe, from = From, to = To}) ->
    Reply = #presence{type = unsubscribed, from = jid:remove_resource(To), to = jid:remove_resource(From)},
    ejabberd_router:route(Reply);
presence(_) ->
    ok.

%%%===================================================================
%%% Small things
%%%===================================================================

%% Whose service it is, with which options, and in which language to answer.
-spec context(iq() | message()) -> {binary(), mod_mqtt_rollup_config:options(), mod_mqtt_rollup_text:language()}.
context(Stanza) ->
    #jid{lserver = MyHost} = xmpp:get_to(Stanza),
    VHost = ejabberd_router:host_of_route(MyHost),
    #{language := Configured} = Options = gen_mod:get_module_opts(VHost, mod_mqtt_rollup),
    {VHost, Options, mod_mqtt_rollup_text:language(xmpp:get_lang(Stanza), Configured)}.

-spec disco_info(iq(), binary(), binary(), binary(), [binary()], [xdata()]) -> iq().
disco_info(#iq{sub_els = [#disco_info{node = Node}]} = IQ, Category, Type, Name, Features, Xdata) ->
    xmpp:make_iq_result(IQ, #disco_info{
        node = Node,
        identities = [#identity{category = Category, type = Type, name = Name}],
        features = [?NS_DISCO_INFO | Features],
        xdata = Xdata
    }).

-spec not_allowed(iq()) -> iq().
not_allowed(IQ) ->
    xmpp:make_error(IQ, xmpp:err_not_allowed()).

-spec name(binary()) -> atom().
name(VHost) ->
    gen_mod:get_module_proc(VHost, ?MODULE).
