%% SPDX-License-Identifier: GPL-2.0-or-later

%% @doc The ad-hoc commands (XEP-0050): their forms (XEP-0004, XEP-0122), what a submitted form asks
%% of the program, and the tables made of its answers. Pure.
%%
%%   first(Command)           -> a form, or a question
%%   page(Action, Session)    -> the question of the next or the previous page
%%   answer(Question, Answer) -> the table, and the session if there are more pages
-module(mod_mqtt_rollup_adhoc).

-export([commands/0, first/2, page/2, answer/4, finished/2]).

-export_type([node_name/0, session/0, page/0]).

-include("xmpp.hrl").

-define(NS_VALIDATE, <<"http://jabber.org/protocol/xdata-validate">>).
-define(ROWS, 100).

-type node_name() :: history | series | status.
-type page() :: #{rows_max := pos_integer(), language := mod_mqtt_rollup_text:language()}.
%% What is shown now, the cursors of the pages before it (newest first), and the cursor after it.
-type session() :: #{ask := mod_mqtt_rollup_query:ask(), before := [binary()], next := binary()}.
-type problem() :: {bad_request | not_found | expired, binary()}.

%% @doc The commands and their nodes.
-spec commands() -> [{Node :: binary(), node_name()}].
commands() ->
    [{<<"history">>, history}, {<<"series">>, series}, {<<"status">>, status}].

%% @doc A command that belongs to no session: its form, or what its submitted form asks. A submitted
%% form is taken whatever the session, so that scripts need only one step.
-spec first(adhoc_command(), page()) ->
    {form, adhoc_command()} | {ask, mod_mqtt_rollup_query:ask()} | {canceled, adhoc_command()} | {error, problem()}.
first(#adhoc_command{node = Node} = Command, #{language := Language} = Page) ->
    case lists:keyfind(Node, 1, commands()) of
        {_, Name} -> first(Name, Command, Page);
        false -> {error, {not_found, mod_mqtt_rollup_text:t(Language, no_command)}}
    end.

%% @doc Paging in a session.
-spec page(next | prev | execute | complete | cancel, session()) -> {ask, session()} | finished | canceled.
page(cancel, _) ->
    canceled;
page(complete, _) ->
    finished;
page(prev, #{before := [Cursor | Before], ask := Ask} = Session) ->
    {ask, Session#{ask := set_cursor(Cursor, Ask), before := Before}};
page(prev, Session) ->
    {ask, Session};
page(_, #{next := <<>>}) ->
    finished;
page(_, #{next := Next, before := Before, ask := Ask} = Session) ->
    {ask, Session#{ask := set_cursor(Next, Ask), before := [cursor(Ask) | Before]}}.

%% @doc The table of an answer. `Session' is the one that was paged in, or `none'.
-spec answer(adhoc_command(), session() | mod_mqtt_rollup_query:ask(), map(), page()) -> {adhoc_command(), none | session()}.
answer(Command, #{ask := Ask, before := Before}, Answer, Page) ->
    answer(Command, Ask, Before, Answer, Page);
answer(Command, Ask, Answer, Page) ->
    answer(Command, Ask, [], Answer, Page).

%% @doc The end of a command that has nothing more to say.
-spec finished(adhoc_command(), completed | canceled) -> adhoc_command().
finished(#adhoc_command{node = Node, sid = Sid, lang = Lang}, Status) ->
    #adhoc_command{node = Node, sid = Sid, lang = Lang, status = Status}.

%%%===================================================================
%%% Forms
%%%===================================================================

-spec first(node_name(), adhoc_command(), page()) ->
    {form, adhoc_command()} | {ask, mod_mqtt_rollup_query:ask()} | {canceled, adhoc_command()} | {error, problem()}.
first(_, #adhoc_command{action = cancel} = Command, _) ->
    {canceled, finished(Command, canceled)};
first(status, _, _) ->
    {ask, status};
first(Name, #adhoc_command{xdata = #xdata{type = submit} = Form}, Page) ->
    try
        {ask, question(Name, values(Form), Page)}
    catch
        throw:{bad_field, Message} -> {error, {bad_request, Message}}
    end;
first(_, #adhoc_command{action = Action, sid = Sid}, #{language := Language}) when
    Sid =/= <<>>, (Action =:= next orelse Action =:= prev orelse Action =:= complete)
->
    {error, {expired, mod_mqtt_rollup_text:t(Language, expired)}};
first(Name, #adhoc_command{node = Node, sid = Sid, lang = Lang}, Page) ->
    {form, #adhoc_command{
        node = Node,
        sid = Sid,
        lang = Lang,
        status = executing,
        actions = #adhoc_actions{execute = complete, complete = true},
        xdata = form(Name, Page)
    }}.

-spec form(history | series, page()) -> xdata().
form(history, #{language := L} = Page) ->
    #xdata{
        type = form,
        title = mod_mqtt_rollup_text:t(L, history),
        instructions = [mod_mqtt_rollup_text:t(L, history_help)],
        fields = [
            (text_field(L, series, field_series, <<"xs:string">>, []))#xdata_field{required = true},
            text_field(L, last, field_last, <<"xs:string">>, [<<"24h">>]),
            text_field(L, from, field_from, <<"xs:dateTime">>, []),
            text_field(L, to, field_to, <<"xs:dateTime">>, []),
            text_field(L, step, field_step, <<"xs:string">>, []),
            #xdata_field{
                var = <<"aggregates">>,
                type = 'list-multi',
                label = mod_mqtt_rollup_text:t(L, field_aggregates),
                options = [
                    #xdata_option{label = name(Aggregate), value = name(Aggregate)}
                 || Aggregate <- mod_mqtt_rollup_options:statistics()
                ],
                sub_els = [validate(<<"xs:string">>, [])]
            },
            max_field(Page),
            #xdata_field{var = <<"after">>, type = hidden}
        ]
    };
form(series, #{language := L} = Page) ->
    #xdata{
        type = form,
        title = mod_mqtt_rollup_text:t(L, series),
        instructions = [mod_mqtt_rollup_text:t(L, series_help)],
        fields = [
            text_field(L, filter, field_filter, <<"xs:string">>, []),
            max_field(Page),
            #xdata_field{var = <<"after">>, type = hidden}
        ]
    }.

-spec text_field(mod_mqtt_rollup_text:language(), atom(), atom(), binary(), [binary()]) -> xdata_field().
text_field(Language, Var, Label, Type, Values) ->
    #xdata_field{
        var = name(Var),
        type = 'text-single',
        label = mod_mqtt_rollup_text:t(Language, Label),
        values = Values,
        sub_els = [validate(Type, [])]
    }.

-spec max_field(page()) -> xdata_field().
max_field(#{language := Language, rows_max := Max}) ->
    Range = #xmlel{
        name = <<"range">>,
        attrs = [{<<"min">>, <<"1">>}, {<<"max">>, integer_to_binary(Max)}]
    },
    #xdata_field{
        var = <<"max">>,
        type = 'text-single',
        label = mod_mqtt_rollup_text:t(Language, field_max),
        values = [integer_to_binary(min(Max, ?ROWS))],
        sub_els = [validate(<<"xs:integer">>, [Range])]
    }.

-spec validate(binary(), [xmlel()]) -> xmlel().
validate(Type, Children) ->
    #xmlel{
        name = <<"validate">>,
        attrs = [{<<"xmlns">>, ?NS_VALIDATE}, {<<"datatype">>, Type}],
        children = Children
    }.

%%%===================================================================
%%% Submitted forms
%%%===================================================================

-spec values(xdata()) -> #{binary() => [binary()]}.
values(#xdata{fields = Fields}) ->
    maps:from_list([
        {Var, [Value || V <- Values, (Value = string:trim(V)) =/= <<>>]}
     || #xdata_field{var = Var, values = Values} <- Fields
    ]).

-spec question(history | series, #{binary() => [binary()]}, page()) -> mod_mqtt_rollup_query:ask().
question(series, Values, Page) ->
    {series, #{filter => single(filter, Values), 'after' => single('after', Values), max => rows(Values, Page)}};
question(history, Values, #{language := L} = Page) ->
    Series = single(series, Values),
    Series =/= <<>> orelse throw({bad_field, mod_mqtt_rollup_text:t(L, missing, [<<"series">>])}),
    From = time_value(from, Values, L),
    %% The form proposes `last'; whoever fills in a beginning means that.
    Last =
        case From of
            null -> duration_value(last, Values, L);
            _ -> null
        end,
    {history, #{
        series => Series,
        from_ms => From,
        to_ms => time_value(to, Values, L),
        last_ms => Last,
        step_ms => duration_value(step, Values, L),
        aggregates => aggregates(maps:get(<<"aggregates">>, Values, []), L),
        max => rows(Values, Page),
        'after' => single('after', Values)
    }}.

-spec single(atom(), #{binary() => [binary()]}) -> binary().
single(Name, Values) ->
    case maps:get(name(Name), Values, []) of
        [Value | _] -> Value;
        [] -> <<>>
    end.

-spec duration_value(atom(), map(), mod_mqtt_rollup_text:language()) -> pos_integer() | null.
duration_value(Name, Values, Language) ->
    case single(Name, Values) of
        <<>> ->
            null;
        Text ->
            case mod_mqtt_rollup_duration:parse(Text) of
                {ok, Ms} when Ms > 0 -> Ms;
                _ -> bad_field(Name, mod_mqtt_rollup_text:t(Language, want_duration), Language)
            end
    end.

-spec time_value(atom(), map(), mod_mqtt_rollup_text:language()) -> integer() | null.
time_value(Name, Values, Language) ->
    case single(Name, Values) of
        <<>> ->
            null;
        Text ->
            case mod_mqtt_rollup_text:parse_time(Text) of
                {ok, Ms} -> Ms;
                error -> bad_field(Name, mod_mqtt_rollup_text:t(Language, want_time), Language)
            end
    end.

-spec rows(map(), page()) -> pos_integer().
rows(Values, #{rows_max := Max, language := Language}) ->
    case single(max, Values) of
        <<>> ->
            min(Max, ?ROWS);
        Text ->
            try binary_to_integer(Text) of
                Rows when Rows >= 1, Rows =< Max -> Rows;
                _ -> bad_field(max, mod_mqtt_rollup_text:t(Language, want_rows, [Max]), Language)
            catch
                error:badarg -> bad_field(max, mod_mqtt_rollup_text:t(Language, want_rows, [Max]), Language)
            end
    end.

-spec aggregates([binary()], mod_mqtt_rollup_text:language()) -> [atom()].
aggregates(Names, Language) ->
    Known = [{name(Aggregate), Aggregate} || Aggregate <- mod_mqtt_rollup_options:statistics()],
    case [Name || Name <- Names, not lists:keymember(Name, 1, Known)] of
        [] ->
            [Aggregate || {Name, Aggregate} <- Known, lists:member(Name, Names)];
        _ ->
            All = lists:join(", ", [Name || {Name, _} <- Known]),
            bad_field(aggregates, mod_mqtt_rollup_text:t(Language, want_aggregates, [All]), Language)
    end.

-spec bad_field(atom(), binary(), mod_mqtt_rollup_text:language()) -> no_return().
bad_field(Name, Expected, Language) ->
    throw({bad_field, mod_mqtt_rollup_text:t(Language, bad_field, [name(Name), Expected])}).

%%%===================================================================
%%% Answers
%%%===================================================================

-spec answer(adhoc_command(), mod_mqtt_rollup_query:ask(), [binary()], map(), page()) -> {adhoc_command(), none | session()}.
answer(#adhoc_command{node = Node, sid = Sid, lang = Lang}, Ask, Before, Answer, #{language := L}) ->
    Next = maps:get(next, Answer, <<>>),
    Reply = #adhoc_command{
        node = Node,
        sid = Sid,
        lang = Lang,
        xdata = table(Ask, Answer, L),
        notes = notes(Ask, Answer, L)
    },
    case {Next, Before} of
        {<<>>, []} ->
            {Reply#adhoc_command{status = completed}, none};
        _ ->
            {
                Reply#adhoc_command{
                    status = executing,
                    actions = #adhoc_actions{
                        execute = default_action(Next),
                        next = Next =/= <<>>,
                        prev = Before =/= [],
                        complete = true
                    }
                },
                #{ask => Ask, before => Before, next => Next}
            }
    end.

-spec default_action(binary()) -> next | complete.
default_action(<<>>) -> complete;
default_action(_) -> next.

-spec table(mod_mqtt_rollup_query:ask(), map(), mod_mqtt_rollup_text:language()) -> xdata().
table({history, _}, Answer, L) -> history_table(Answer, L);
table({series, _}, Answer, L) -> series_table(Answer, L);
table(status, Answer, L) -> status_table(Answer, L).

-spec history_table(map(), mod_mqtt_rollup_text:language()) -> xdata().
history_table(Answer, L) ->
    #{series := Series, aggregates := Aggregates, rows := Rows, decimals := Decimals} = Answer,
    Start = column(start, mod_mqtt_rollup_text:t(L, column_start), <<"xs:dateTime">>),
    #xdata{
        type = result,
        title = titled(Series, Answer),
        reported = [Start | [column(A, name(A), <<"xs:decimal">>) || A <- Aggregates]],
        items = [
            [cell(start, mod_mqtt_rollup_text:time(At)) | cells(Aggregates, Values, Decimals)]
         || {At, Values} <- Rows
        ],
        fields = cursor_field(Answer)
    }.

-spec series_table(map(), mod_mqtt_rollup_text:language()) -> xdata().
series_table(#{rows := Rows} = Answer, L) ->
    Columns = [
        {series, column_series, <<"xs:string">>},
        {title, column_title, <<"xs:string">>},
        {value, column_value, <<"xs:decimal">>},
        {unit, column_unit, <<"xs:string">>},
        {age, column_age, <<"xs:integer">>},
        {count, column_count, <<"xs:integer">>},
        {stream, column_stream, <<"xs:string">>}
    ],
    #xdata{
        type = result,
        title = mod_mqtt_rollup_text:t(L, series),
        reported = [column(Var, mod_mqtt_rollup_text:t(L, Label), Type) || {Var, Label, Type} <- Columns],
        items = [series_row(Row) || Row <- Rows],
        fields = cursor_field(Answer)
    }.

-spec series_row(map()) -> [xdata_field()].
series_row(Row) ->
    #{series := Series, title := Title, value := Value, unit := Unit, age_ms := Age, count := Count} = Row,
    [
        cell(series, Series),
        cell(title, Title),
        cell(value, mod_mqtt_rollup_text:number(Value)),
        cell(unit, Unit),
        cell(age, mod_mqtt_rollup_text:seconds(Age)),
        cell(count, mod_mqtt_rollup_text:number(Count)),
        cell(stream, maps:get(stream, Row))
    ].

-spec status_table(map(), mod_mqtt_rollup_text:language()) -> xdata().
status_table(Answer, L) ->
    #{history := History, brokers := Brokers, dropped := Dropped, refused := Refused} = Answer,
    Error =
        case maps:get(error, History, <<>>) of
            <<>> -> [];
            Text -> [fact(L, error, status_error, [Text])]
        end,
    #xdata{
        type = result,
        title = mod_mqtt_rollup_text:t(L, status),
        fields =
            [
                fact(L, build, status_build, [maps:get(build, Answer)]),
                fact(L, uptime, status_uptime, [uptime(maps:get(uptime_ms, Answer))])
            ] ++
                [
                    fact(L, Var, Label, [mod_mqtt_rollup_text:number(maps:get(Var, Answer))])
                 || {Var, Label} <- [
                        {series, status_series},
                        {alerts, status_alerts},
                        {alarms, status_alarms},
                        {received, status_received},
                        {accepted, status_accepted}
                    ]
                ] ++
                [
                    fact(L, dropped, status_dropped, counted(Dropped))
                ] ++
                %% Clients show a field without a value as an empty line.
                [fact(L, refused, status_refused, Lines) || Lines <- [counted(Refused)], Lines =/= []] ++
                [
                    fact(L, brokers, status_brokers, [
                        <<Name/binary, ": ", (name(State))/binary>>
                     || #{name := Name, state := State} <- Brokers
                    ]),
                    fact(L, history, status_history, [
                        mod_mqtt_rollup_text:number(maps:get(bytes, History))
                    ])
                ] ++ Error ++ feed_facts(Answer, L)
    }.

-spec counted(#{atom() => non_neg_integer()}) -> [binary()].
counted(Counts) ->
    [
        <<(name(Reason))/binary, ": ", (integer_to_binary(N))/binary>>
     || {Reason, N} <- lists:sort(maps:to_list(Counts)), N > 0
    ].

%% What waits in ejabberd for the program.
-spec feed_facts(map(), mod_mqtt_rollup_text:language()) -> [xdata_field()].
feed_facts(#{feed := Feed}, L) ->
    #{
        waiting := Waiting,
        memory_bytes := Memory,
        disk_bytes := Disk,
        age_ms := Age,
        lost := Lost,
        seen := Seen,
        wanted := Wanted
    } = Feed,
    Oldest = [mod_mqtt_rollup_text:t(L, feed_oldest, [mod_mqtt_rollup_text:seconds(Age)]) || Age =/= null],
    [
        fact(
            L,
            feed,
            status_feed,
            [mod_mqtt_rollup_text:t(L, feed_waiting, [Waiting, Memory, Disk])] ++ Oldest ++
                [
                    mod_mqtt_rollup_text:t(L, feed_lost, [Lost]),
                    mod_mqtt_rollup_text:t(L, feed_seen, [Seen, Wanted])
                ]
        )
    ];
feed_facts(_, _) ->
    [].

-spec notes(mod_mqtt_rollup_query:ask(), map(), mod_mqtt_rollup_text:language()) -> [adhoc_note()].
notes(status, _, _) ->
    [];
notes(Ask, #{rows := Rows} = Answer, L) ->
    Spark =
        case {Ask, maps:get(spark, Answer, <<>>)} of
            {{history, _}, Curve} when Curve =/= <<>>, Rows =/= [] -> [note(Curve)];
            _ -> []
        end,
    Empty = [note(mod_mqtt_rollup_text:t(L, empty)) || Rows =:= []],
    More = [note(mod_mqtt_rollup_text:t(L, more)) || maps:get(next, Answer, <<>>) =/= <<>>],
    Spark ++ Empty ++ More.

-spec note(binary()) -> adhoc_note().
note(Text) ->
    #adhoc_note{type = info, data = Text}.

-spec titled(binary(), map()) -> binary().
titled(Series, Answer) ->
    Title =
        case maps:get(title, Answer, <<>>) of
            <<>> -> Series;
            Given -> <<Given/binary, " (", Series/binary, ")">>
        end,
    case maps:get(unit, Answer, <<>>) of
        <<>> -> Title;
        Unit -> <<Title/binary, " [", Unit/binary, "]">>
    end.

-spec cells([atom()], [number() | null], non_neg_integer()) -> [xdata_field()].
cells(Aggregates, Values, Decimals) ->
    lists:zipwith(
        fun(Aggregate, Value) -> cell(Aggregate, mod_mqtt_rollup_text:statistic(Aggregate, Value, Decimals)) end,
        Aggregates,
        Values
    ).

-spec column(atom(), binary(), binary()) -> xdata_field().
column(Var, Label, Type) ->
    #xdata_field{var = name(Var), label = Label, type = 'text-single', sub_els = [validate(Type, [])]}.

-spec cell(atom(), binary()) -> xdata_field().
cell(Var, Value) ->
    #xdata_field{var = name(Var), values = [Value]}.

-spec fact(mod_mqtt_rollup_text:language(), atom(), atom(), [binary()]) -> xdata_field().
fact(Language, Var, Label, Values) ->
    Type =
        case Values of
            [_] -> 'text-single';
            _ -> 'text-multi'
        end,
    #xdata_field{
        var = name(Var), label = mod_mqtt_rollup_text:t(Language, Label), type = Type, values = Values
    }.

%% A script can go on with `after' instead of holding a session.
-spec cursor_field(map()) -> [xdata_field()].
cursor_field(#{next := Next}) when Next =/= <<>> ->
    [#xdata_field{var = <<"after">>, type = hidden, values = [Next]}];
cursor_field(_) ->
    [].

-spec uptime(non_neg_integer()) -> binary().
uptime(Ms) ->
    mod_mqtt_rollup_duration:format(Ms div 1000 * 1000).

-spec cursor(mod_mqtt_rollup_query:ask()) -> binary().
cursor({_, #{'after' := After}}) -> After;
cursor(status) -> <<>>.

-spec set_cursor(binary(), mod_mqtt_rollup_query:ask()) -> mod_mqtt_rollup_query:ask().
set_cursor(Cursor, {Name, Question}) -> {Name, Question#{'after' := Cursor}};
set_cursor(_, status) -> status.

-spec name(atom()) -> binary().
name(Atom) ->
    atom_to_binary(Atom, utf8).
