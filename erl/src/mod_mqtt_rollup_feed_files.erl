%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc Frames of the feed in files of a directory, each with a checksum before it and never half written
%% under its name.
-module(mod_mqtt_rollup_feed_files).

-export([write/4, sync/2, read/2, delete/2, move/3, put_aside/2, list/1, path/2]).
-export([next_number/2, move_number/2]).

-export_type([dir/0, name/0]).

-include_lib("kernel/include/file.hrl").

-define(CHECKSUM_BYTES, 4).
%% The file of next_number/2.
-define(NUMBER, "number").
-define(NUMBER_BITS, 64).
%% More than a feed can number in its life: five years at a hundred thousand a second. There is room for
%% half a million of them.
-define(NUMBERS_OF_A_START, (1 bsl 44)).

-type dir() :: file:filename_all().
-type name() :: file:filename().

%% @doc Writes a file; with `sync' it outlives the machine too.
-spec write(dir(), name(), binary(), [sync]) -> ok | {error, file:posix() | badarg}.
write(Dir, Name, Bin, Modes) ->
    Temporary = path(Dir, Name ++ ".tmp"),
    Data = [<<(erlang:crc32(Bin)):(8 * ?CHECKSUM_BYTES)>>, Bin],
    case make(Dir) of
        ok ->
            case file:write_file(Temporary, Data, [raw | Modes]) of
                ok ->
                    file:rename(Temporary, path(Dir, Name));
                {error, _} = Error ->
                    _ = file:delete(Temporary),
                    Error
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc What was written before outlives the machine now.
-spec sync(dir(), name()) -> ok | {error, file:posix() | badarg | terminated}.
sync(Dir, Name) ->
    case file:open(path(Dir, Name), [read, write, raw]) of
        {ok, File} ->
            Synced = file:sync(File),
            _ = file:close(File),
            Synced;
        {error, _} = Error ->
            Error
    end.

-spec read(dir(), name()) -> {ok, binary()} | {error, unicode:chardata()}.
read(Dir, Name) ->
    case file:read_file(path(Dir, Name)) of
        {ok, <<Checksum:(8 * ?CHECKSUM_BYTES), Bin/binary>>} ->
            case erlang:crc32(Bin) of
                Checksum -> {ok, Bin};
                _ -> {error, "it is damaged"}
            end;
        {ok, _} ->
            {error, "it is damaged"};
        {error, Reason} ->
            {error, file:format_error(Reason)}
    end.

-spec delete(dir(), name()) -> ok.
delete(Dir, Name) ->
    _ = file:delete(path(Dir, Name)),
    ok.

%% @doc Moves a file to another directory, which may be on another disk.
-spec move(name(), From :: dir(), To :: dir()) -> ok | {error, unicode:chardata()}.
move(Name, From, To) ->
    case read(From, Name) of
        {ok, Bin} ->
            case write(To, Name, Bin, [sync]) of
                ok -> delete(From, Name);
                {error, Reason} -> {error, file:format_error(Reason)}
            end;
        {error, _} = Error ->
            Error
    end.

%% @doc Renames a file, so that people can have a look at it and list/1 does not find it again.
-spec put_aside(dir(), name()) -> ok.
put_aside(Dir, Name) ->
    _ = file:rename(path(Dir, Name), path(Dir, Name ++ ".aside")),
    ok.

%% @doc The files that an earlier feed has left. What was being written is deleted.
-spec list(dir()) -> [mod_mqtt_rollup_feed_queue:stored()].
list(Dir) ->
    Names =
        case file:list_dir(Dir) of
            {ok, List} -> List;
            {error, _} -> []
        end,
    lists:filtermap(
        fun(Name) ->
            case filename:extension(Name) of
                _ when Name =:= ?NUMBER ->
                    false;
                ".aside" ->
                    false;
                ".tmp" ->
                    delete(Dir, Name),
                    false;
                _ ->
                    stored(Dir, Name)
            end
        end,
        Names
    ).

-spec stored(dir(), name()) -> {true, mod_mqtt_rollup_feed_queue:stored()} | false.
stored(Dir, Name) ->
    case file:read_file_info(path(Dir, Name), [{time, posix}]) of
        {ok, #file_info{type = regular, size = Size, mtime = Time}} when is_integer(Time) ->
            {true, {Name, max(0, Size - ?CHECKSUM_BYTES), Time * 1000}};
        _ ->
            false
    end.

-spec path(dir(), name()) -> file:filename_all().
path(Dir, Name) ->
    filename:join(Dir, Name).

%% @doc Where the numbers of a start begin: above all that an earlier start in this directory has given.
%% That is the time in microseconds, as less than one message comes in one; but many small machines have
%% no clock that goes on while they are off. Nothing is told of a file that cannot be written: with a
%% directory like that no frame gets there either, and it is those that the numbers must not meet.
-spec next_number(dir(), Microseconds :: integer()) -> pos_integer().
next_number(Dir, Microseconds) ->
    Least =
        case read(Dir, ?NUMBER) of
            {ok, <<Last:?NUMBER_BITS>>} when Last >= Microseconds -> Last + ?NUMBERS_OF_A_START;
            _ -> 1
        end,
    Number = max(Least, Microseconds),
    _ = write(Dir, ?NUMBER, <<Number:?NUMBER_BITS>>, [sync]),
    Number.

%% @doc The numbers of another directory go on in this one.
-spec move_number(From :: dir(), To :: dir()) -> ok | {error, unicode:chardata()}.
move_number(From, To) ->
    move(?NUMBER, From, To).

%% What devices say is nobody else's business.
-spec make(dir()) -> ok | {error, file:posix()}.
make(Dir) ->
    case filelib:is_dir(Dir) of
        true ->
            ok;
        false ->
            case filelib:ensure_dir(filename:join(Dir, "x")) of
                ok ->
                    _ = file:change_mode(filename:dirname(Dir), 8#700),
                    file:change_mode(Dir, 8#700);
                {error, _} = Error ->
                    Error
            end
    end.
