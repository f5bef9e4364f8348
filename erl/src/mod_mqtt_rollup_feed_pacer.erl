%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Lets the process of the feed rest for some milliseconds while messages come fast.
%%
%% A message to a process that waits for one wakes it up. That costs the publisher several times what the
%% message does, and the process has a turn for hardly more than one message. Here it is suspended
%% instead: messages are put into its mailbox, nobody is woken up, and it takes all of them in one turn.
%% Network cards do the same, and call it interrupt moderation.
%%
%% erlang:suspend_process/1 is meant for debugging because two processes that suspend each other wait
%% for ever. This one suspends a process that suspends nobody, waits for nothing but its timer
%% meanwhile, and if it ends, the process goes on by itself.
-module(mod_mqtt_rollup_feed_pacer).

-behaviour(gen_server).

%% The side of the process that rests
-export([new/1, taken/4]).
%% The process that wakes it up
-export([start_link/1, rest/1]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2]).

-export_type([pace/0]).

-include("logger.hrl").

%% Short beside the 20 ms for which the program collects what it takes in one turn.
-define(REST, 10).
%% With fewer messages than this within some more time than a rest, being woken up costs less than to rest.
-define(MESSAGES, 20).
-define(WITHIN, 16).

-record(pace, {
    since :: integer(),
    %% Taken since then.
    messages = 0 :: non_neg_integer()
}).

-opaque pace() :: #pace{}.

-record(state, {
    vhost :: binary(),
    resting = none :: none | {pid(), reference()}
}).

-spec new(NowMs :: integer()) -> pace().
new(Now) ->
    #pace{since = Now}.

%% @doc So many messages were taken from the mailbox; is it time to rest? Not while more are there. `Now' is
%% in monotonic milliseconds.
-spec taken(Count :: pos_integer(), HasMore :: boolean(), NowMs :: integer(), pace()) -> {rest | go_on, pace()}.
taken(Count, HasMore, _, #pace{messages = Messages} = Pace) when HasMore; Messages + Count < ?MESSAGES ->
    {go_on, Pace#pace{messages = Messages + Count}};
taken(_, false, Now, #pace{since = Since}) when Now - Since =< ?WITHIN ->
    {rest, new(Now)};
taken(_, false, Now, _) ->
    {go_on, new(Now)}.

-spec start_link(binary()) -> {ok, pid()} | {error, term()}.
start_link(VHost) ->
    gen_server:start_link({local, name(VHost)}, ?MODULE, VHost, []).

%% @doc The calling process is about to be suspended. It is not, should this process be missing.
-spec rest(binary()) -> ok.
rest(VHost) ->
    gen_server:cast(name(VHost), {rest, self()}).

-spec init(binary()) -> {ok, #state{}}.
init(VHost) ->
    {ok, #state{vhost = VHost}}.

-spec handle_call(term(), gen_server:from(), #state{}) -> {noreply, #state{}}.
handle_call(Request, From, State) ->
    ?WARNING_MSG("Unexpected call from ~p: ~p", [From, Request]),
    {noreply, State}.

-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast({rest, Pid}, #state{resting = none} = State) ->
    {noreply, State#state{resting = suspend(Pid)}};
handle_cast({rest, _}, State) ->
    %% It has asked again before it was suspended.
    {noreply, State};
handle_cast(Message, State) ->
    ?WARNING_MSG("Unexpected cast: ~p", [Message]),
    {noreply, State}.

-spec handle_info(term(), #state{}) -> {noreply, #state{}}.
handle_info({timeout, Ref, wake_up}, #state{resting = {Pid, Ref}} = State) ->
    try
        _ = erlang:resume_process(Pid)
    catch
        error:badarg -> ended
    end,
    {noreply, State#state{resting = none}};
handle_info(Message, State) ->
    ?WARNING_MSG("Unexpected info: ~p", [Message]),
    {noreply, State}.

-spec suspend(pid()) -> none | {pid(), reference()}.
suspend(Pid) ->
    try erlang:suspend_process(Pid) of
        true -> {Pid, erlang:start_timer(?REST, self(), wake_up)}
    catch
        error:badarg -> none
    end.

-spec name(binary()) -> atom().
name(VHost) ->
    gen_mod:get_module_proc(VHost, ?MODULE).
