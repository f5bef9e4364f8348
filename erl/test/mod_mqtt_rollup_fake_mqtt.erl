%% SPDX-License-Identifier: GPL-2.0-or-later

%% Stands in for ejabberd where modules cannot be tested without it: its table of loaded modules, its
%% hooks, its supervisor of modules, and mod_mqtt.
-module(mod_mqtt_rollup_fake_mqtt).

-behaviour(supervisor).

-export([start/0, stop/0, load/3, unload/2, answer/1, retain/2]).
-export([init/1, publish/3, select_retained/4]).

%% What is published is sent to the caller as {published, USR, #publish{}, ExpiryTime}.
start() ->
    ets:info(ejabberd_modules) =/= undefined orelse
        ets:new(ejabberd_modules, [named_table, public, {keypos, 2}]),
    {ok, Hooks} = ejabberd_hooks:start_link(),
    {ok, Supervisor} = supervisor:start_link({local, ejabberd_gen_mod_sup}, ?MODULE, []),
    load_mod_mqtt(),
    persistent_term:put(?MODULE, #{pid => self(), retained => [], answer => {ok, 1}}),
    [unlink(Pid) || Pid <- [Hooks, Supervisor]],
    ok.

stop() ->
    [end_process(Name, Reason) || {Name, Reason} <- [{ejabberd_gen_mod_sup, shutdown}, {ejabberd_hooks, kill}]],
    persistent_term:erase(?MODULE),
    code:purge(mod_mqtt),
    code:delete(mod_mqtt),
    code:purge(mod_mqtt),
    ets:delete(ejabberd_modules).

%% As gen_mod keeps the options of a loaded module.
load(VHost, Module, Options) ->
    ets:insert(ejabberd_modules, {ejabberd_module, {Module, VHost}, Options, 1}).

unload(VHost, Module) ->
    ets:delete(ejabberd_modules, {Module, VHost}).

%% What mod_mqtt:publish/3 returns, or `crash'.
answer(Answer) ->
    persistent_term:put(?MODULE, (persistent_term:get(?MODULE))#{answer := Answer}).

%% The retained messages of a filter.
retain(Filter, Messages) ->
    #{retained := Retained} = State = persistent_term:get(?MODULE),
    persistent_term:put(?MODULE, State#{retained := [{Filter, Messages} | Retained]}).

init([]) ->
    {ok, {{one_for_one, 10, 1}, []}}.

publish(USR, Publish, ExpiryTime) ->
    #{pid := Pid, answer := Answer} = persistent_term:get(?MODULE),
    Pid ! {published, USR, Publish, ExpiryTime},
    case Answer of
        crash -> error(crash);
        _ -> Answer
    end.

select_retained(_, Filter, _, _) ->
    #{retained := Retained} = persistent_term:get(?MODULE),
    proplists:get_value(Filter, Retained, []).

load_mod_mqtt() ->
    Source = [
        "-module(mod_mqtt).",
        "-export([publish/3, select_retained/4]).",
        "publish(A, B, C) -> mod_mqtt_rollup_fake_mqtt:publish(A, B, C).",
        "select_retained(A, B, C, D) -> mod_mqtt_rollup_fake_mqtt:select_retained(A, B, C, D)."
    ],
    Forms = [
        begin
            {ok, Tokens, _} = erl_scan:string(Line),
            {ok, Form} = erl_parse:parse_form(Tokens),
            Form
        end
     || Line <- Source
    ],
    {ok, mod_mqtt, Binary} = compile:forms(Forms),
    {module, mod_mqtt} = code:load_binary(mod_mqtt, "mod_mqtt.erl", Binary).

end_process(Name, Reason) ->
    Pid = whereis(Name),
    Ref = monitor(process, Pid),
    exit(Pid, Reason),
    receive
        {'DOWN', Ref, _, _, _} -> ok
    end.
