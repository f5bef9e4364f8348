%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The queue of the feed together with its files: does what mod_mqtt_rollup_feed_queue decides, and
%% tells it, and people, what did not work.
-module(mod_mqtt_rollup_feed_store).

-export([new/1, open/2, set_limits/2, clear/1, save/1]).
-export([add/2, lost/3, has_room/1]).
-export([up/1, down/1, crashed/1, committed/3, flush/1, next/1, heartbeat/2]).
-export([is_writable/1, write_again/1, info/1]).

-export_type([store/0]).

-include("logger.hrl").

-record(store, {
    vhost :: binary(),
    queue :: mod_mqtt_rollup_feed_queue:state(),
    dir = none :: none | mod_mqtt_rollup_feed_files:dir(),
    %% The log knows that files cannot be written.
    said_unwritten = false :: boolean()
}).

-opaque store() :: #store{}.

%% @doc With nothing in it and no place for files.
-spec new(binary()) -> store().
new(VHost) ->
    #store{vhost = VHost, queue = mod_mqtt_rollup_feed_queue:new(new_epoch(), no_limits())}.

%% @doc The first directory is where an earlier feed may have left something; when the option data_dir
%% changes, the queue's files follow it.
-spec open(mod_mqtt_rollup_feed_files:dir(), store()) -> store().
open(Dir, #store{dir = Dir} = Store) ->
    Store;
open(Dir, #store{dir = none} = Store) ->
    restore(Dir, Store);
open(Dir, #store{vhost = VHost, dir = Old, queue = Queue} = Store) ->
    Moved = lists:foldl(
        fun(Name, Queue1) ->
            case mod_mqtt_rollup_feed_files:move(Name, Old, Dir) of
                ok ->
                    Queue1;
                {error, Reason} ->
                    ?ERROR_MSG(
                        "mod_mqtt_rollup at ~ts: ~ts cannot be moved to the new data_dir: ~ts",
                        [VHost, mod_mqtt_rollup_feed_files:path(Old, Name), Reason]
                    ),
                    mod_mqtt_rollup_feed_queue:unreadable(Name, Queue1)
            end
        end,
        Queue,
        mod_mqtt_rollup_feed_queue:files(Queue)
    ),
    _ = mod_mqtt_rollup_feed_files:move_number(Old, Dir),
    Store#store{dir = Dir, queue = Moved}.

%% Reads what an earlier feed has left.
-spec restore(mod_mqtt_rollup_feed_files:dir(), store()) -> store().
restore(Dir, #store{vhost = VHost} = Store) ->
    Found = mod_mqtt_rollup_feed_files:list(Dir),
    %% Erlang's time does not go back with the clock while the node runs.
    Next = mod_mqtt_rollup_feed_files:next_number(
        Dir, max(os:system_time(microsecond), erlang:system_time(microsecond))
    ),
    {Queue, Strangers} = mod_mqtt_rollup_feed_queue:restore(Found, new_epoch(), Next, no_limits()),
    Store1 = Store#store{dir = Dir, queue = Queue},
    lists:foreach(fun(Name) -> put_aside(Name, "it is none of this queue", Store1) end, Strangers),
    case mod_mqtt_rollup_feed_queue:info(Queue) of
        #{messages := 0} -> ok;
        #{messages := Count} ->
            ?INFO_MSG("mod_mqtt_rollup at ~ts: ~b messages wait for the program in files", [VHost, Count])
    end,
    Store1.

-spec set_limits(mod_mqtt_rollup_feed_queue:limits(), store()) -> store().
set_limits(Limits, #store{queue = Queue} = Store) ->
    Store#store{queue = mod_mqtt_rollup_feed_queue:set_limits(Limits, Queue)}.

%% @doc Drops everything.
-spec clear(store()) -> store().
clear(#store{dir = Dir, queue = Queue} = Store) ->
    lists:foreach(
        fun(Name) -> mod_mqtt_rollup_feed_files:delete(Dir, Name) end, mod_mqtt_rollup_feed_queue:files(Queue)
    ),
    Store#store{queue = mod_mqtt_rollup_feed_queue:new(new_epoch(), no_limits())}.

%% @doc Writes everything down, so that it outlives the machine too. Once more writes what was added since.
%% All of it is with the system before anything is waited for: there may be hundreds of files, a disk may
%% take long for each, and there is an end to the patience with a process that stops.
-spec save(store()) -> store().
save(#store{vhost = VHost, queue = Queue, dir = Dir} = Store) ->
    {Closed, Writes} = mod_mqtt_rollup_feed_queue:close(Queue),
    Written = [{Name, mod_mqtt_rollup_feed_files:write(Dir, Name, Bin, [])} || {write, Name, Bin} <- Writes],
    Synced = [mod_mqtt_rollup_feed_files:sync(Dir, Name) || {Name, ok} <- Written],
    Failures = [Reason || {error, Reason} <- [Result || {_, Result} <- Written] ++ Synced],
    case Failures of
        [] ->
            ok;
        [Reason | _] ->
            ?ERROR_MSG(
                "mod_mqtt_rollup at ~ts: cannot write to ~ts: ~ts. Messages that the program has not taken are lost",
                [VHost, Dir, file:format_error(Reason)]
            )
    end,
    Store#store{queue = Closed}.

%%%===================================================================
%%% The queue
%%%===================================================================

%% @doc Takes messages in, in this order.
-spec add([mod_mqtt_rollup_feed_queue:message()], store()) -> store().
add(Messages, #store{queue = Queue} = Store) ->
    perform(mod_mqtt_rollup_feed_queue:add(Messages, Queue), Store).

-spec lost(non_neg_integer(), Topic :: binary(), store()) -> store().
lost(Count, Topic, #store{queue = Queue} = Store) ->
    Store#store{queue = mod_mqtt_rollup_feed_queue:lost(Count, Topic, Queue)}.

-spec has_room(store()) -> boolean().
has_room(#store{queue = Queue}) ->
    mod_mqtt_rollup_feed_queue:has_room(Queue).

-spec up(store()) -> store().
up(#store{queue = Queue} = Store) ->
    Store#store{queue = mod_mqtt_rollup_feed_queue:up(os:system_time(millisecond), Queue)}.

-spec down(store()) -> store().
down(#store{queue = Queue} = Store) ->
    Store#store{queue = mod_mqtt_rollup_feed_queue:down(Queue)}.

-spec crashed(store()) -> store().
crashed(#store{queue = Queue} = Store) ->
    Store#store{queue = mod_mqtt_rollup_feed_queue:crashed(Queue)}.

-spec committed(Epoch :: non_neg_integer(), Number :: non_neg_integer(), store()) -> store().
committed(Epoch, Number, #store{queue = Queue} = Store) ->
    perform(mod_mqtt_rollup_feed_queue:committed(Epoch, Number, Queue), Store).

-spec flush(store()) -> store().
flush(#store{queue = Queue} = Store) ->
    Store#store{queue = mod_mqtt_rollup_feed_queue:flush(Queue)}.

%% @doc The frame that may go to the program now, with the stores for the cases that it does and that it
%% does not. Files that cannot be used are put aside, and so is a message that ends the program.
-spec next(store()) -> {send, binary(), Sent :: store(), Unsent :: store()} | {nothing, store()}.
next(#store{queue = Queue} = Store) ->
    case mod_mqtt_rollup_feed_queue:next(Queue) of
        nothing ->
            {nothing, Store};
        {send, Source, Part, Sent} ->
            with_frame(Source, Store, fun(Bin) ->
                {send, part(Part, Bin), Store#store{queue = Sent}, Store}
            end);
        {skip, Source, Number} ->
            with_frame(Source, Store, fun(Bin) -> next(skip(Number, Bin, Store)) end)
    end.

-spec with_frame(mod_mqtt_rollup_feed_queue:source(), store(), fun((binary()) -> Next)) -> Next when
    Next :: {send, binary(), store(), store()} | {nothing, store()}.
with_frame({memory, Bin}, _, Use) ->
    Use(Bin);
with_frame({file, Name}, #store{queue = Queue, dir = Dir} = Store, Use) ->
    case mod_mqtt_rollup_feed_files:read(Dir, Name) of
        {ok, Bin} ->
            Use(Bin);
        {error, Reason} ->
            put_aside(Name, Reason, Store),
            next(Store#store{queue = mod_mqtt_rollup_feed_queue:unreadable(Name, Queue)})
    end.

-spec part(all | {part, pos_integer(), pos_integer()}, binary()) -> binary().
part(all, Bin) ->
    Bin;
part({part, First, Last}, Bin) ->
    {_, _, Frame} = mod_mqtt_rollup_feed_queue:part(First, Last, Bin),
    Frame.

-spec skip(pos_integer(), binary(), store()) -> store().
skip(Number, Bin, #store{vhost = VHost, dir = Dir, queue = Queue} = Store) ->
    {[{Topic, _, _, _, _}], Untold, Frame} = mod_mqtt_rollup_feed_queue:part(Number, Number, Bin),
    Name = lists:flatten(io_lib:format("message-~b.aside", [Number])),
    Kept =
        case mod_mqtt_rollup_feed_files:write(Dir, Name, Frame, [sync]) of
            ok -> ["it is kept in ", mod_mqtt_rollup_feed_files:path(Dir, Name)];
            {error, Reason} -> ["it could not be kept: ", file:format_error(Reason)]
        end,
    ?ERROR_MSG(
        "mod_mqtt_rollup at ~ts: the program crashed each time that it was given a certain message of ~ts, which is "
        "left out; ~ts. Please report it",
        [VHost, Topic, Kept]
    ),
    perform(
        mod_mqtt_rollup_feed_queue:skip(Number, Untold, mod_mqtt_rollup_feed_queue:lost(1, Topic, Queue)), Store
    ).

-spec heartbeat(NowMs :: integer(), store()) -> nothing | {send, binary(), store()}.
heartbeat(Now, #store{queue = Queue} = Store) ->
    case mod_mqtt_rollup_feed_queue:heartbeat(Now, Queue) of
        nothing -> nothing;
        {send, Bin, Sent} -> {send, Bin, Store#store{queue = Sent}}
    end.

%% @doc Have files been written, the last time that one had to be?
-spec is_writable(store()) -> boolean().
is_writable(#store{queue = Queue}) ->
    mod_mqtt_rollup_feed_queue:is_writable(Queue).

%% @doc Some time after files could not be written.
-spec write_again(store()) -> store().
write_again(#store{queue = Queue} = Store) ->
    perform(mod_mqtt_rollup_feed_queue:writable(Queue), Store).

-spec info(store()) -> mod_mqtt_rollup_feed_queue:info().
info(#store{queue = Queue}) ->
    mod_mqtt_rollup_feed_queue:info(Queue).

%%%===================================================================
%%% Files
%%%===================================================================

-spec perform({mod_mqtt_rollup_feed_queue:state(), [mod_mqtt_rollup_feed_queue:effect()]}, store()) -> store().
perform({Queue, Effects}, Store) ->
    lists:foldl(fun perform_one/2, Store#store{queue = Queue}, Effects).

-spec perform_one(mod_mqtt_rollup_feed_queue:effect(), store()) -> store().
perform_one({write, Name, Bin}, #store{vhost = VHost, queue = Queue, dir = Dir, said_unwritten = Said} = Store) ->
    case mod_mqtt_rollup_feed_files:write(Dir, Name, Bin, []) of
        ok ->
            Store#store{said_unwritten = false};
        {error, Reason} ->
            Said orelse
                ?ERROR_MSG(
                    "mod_mqtt_rollup at ~ts: cannot write ~ts: ~ts. What waits for the program stays in memory "
                    "as far as it fits",
                    [VHost, mod_mqtt_rollup_feed_files:path(Dir, Name), file:format_error(Reason)]
                ),
            Store#store{queue = mod_mqtt_rollup_feed_queue:unwritten(Name, Bin, Queue), said_unwritten = true}
    end;
perform_one({delete, Name}, #store{dir = Dir} = Store) ->
    mod_mqtt_rollup_feed_files:delete(Dir, Name),
    Store.

-spec put_aside(mod_mqtt_rollup_feed_files:name(), unicode:chardata(), store()) -> ok.
put_aside(Name, Reason, #store{vhost = VHost, dir = Dir}) ->
    mod_mqtt_rollup_feed_files:put_aside(Dir, Name),
    ?ERROR_MSG(
        "mod_mqtt_rollup at ~ts: ~ts cannot be used: ~ts; it is moved aside to ~ts.aside",
        [VHost, mod_mqtt_rollup_feed_files:path(Dir, Name), Reason, Name]
    ).

-spec new_epoch() -> pos_integer().
new_epoch() ->
    rand:uniform(16#4000000000000000).

%% Until there is a configuration nothing comes in.
-spec no_limits() -> mod_mqtt_rollup_feed_queue:limits().
no_limits() ->
    #{memory => 0, disk => 0}.
