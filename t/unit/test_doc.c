/*
 * Documents: every constraint, the serving form, effective configuration,
 * and what two documents are to each other.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <nxe/arena.h>
#include <nxe/doc.h>


/* Documents are written with ' for ", which none of them needs. */

#define U   "'unit':'header:X-User'"
#define A   "{'name':'a'}"
#define B   "{'name':'b'}"
#define VS  "'variants':[" A "," B "]"

/* a document with one more key, with other variants, with a second variant */
#define K(keys)      "{'name':'t'," U "," keys "," VS "}"
#define V(variants)  "{'name':'t'," U ",'variants':[" variants "]}"
#define C(members)   V(A ",{'name':'b'," members "}")
#define S(members)   "{'name':'t','steps':['one','two']," U ",'variants':["   \
                     A ",{'name':'b'," members "}]}"
#define O(param)     C("'overrides':{'default':{" param "}}")
#define H(headers)   C("'headers':" headers)
#define UNIT(unit)   "{'name':'t','unit':" unit "," VS "}"
#define W(from, to)  K("'windows':[{'from':'" from "','to':'" to "'}]")
#define T(op, v)     K("'targeting':[{'attribute':'arg:a','op':'" op          \
                       "','value':" v "}]")


typedef struct {
    const char  *doc;
    const char  *pointer;           /* NULL: a good document */
    const char  *expected;          /* part of the text */
    const char  *near;
} row_t;


static const row_t  rows[] = {

    /* the root, names */
    { "[]", "", "a document, an object", NULL },
    { "{" U "," VS "}", "/name", "\"name\", which is required", NULL },
    { "{'name':'t'," VS "}", "/unit", "\"unit\", which is", NULL },
    { "{'name':'t'," U "}", "/variants", "\"variants\", which", NULL },
    { K("'desciption':''"), "/desciption", "a key of", "description" },
    { K("'Layer':'x'"), "/Layer", "a key of", "layer" },
    { K("'zzzzzzzz':1"), "/zzzzzzzz", "a key of a document: name", NULL },
    { K("'a/b~':1"), "/a~1b~0", "a key", NULL },
    { "{'name':''," U "," VS "}", "/name", "a name", NULL },
    { "{'name':'-a'," U "," VS "}", "/name", "a name", NULL },
    { "{'name':'a b'," U "," VS "}", "/name", "a name", NULL },
    { "{'name':'on'," U "," VS "}", "/name", "other than on and off", NULL },
    { "{'name':'off'," U "," VS "}", "/name", "other than on", NULL },
    { "{'name':'On'," U "," VS "}", NULL, NULL, NULL },
    { "{'name':'layer'," U "," VS "}", "/name", "may be a salt", NULL },
    { "{'name':'draft'," U "," VS "}", "/name", "may be a salt", NULL },
    { "{'name':'draft','hash':{'salt':'d'}," U "," VS "}", NULL, NULL, NULL },
    { K("'description':1"), "/description", "a string", NULL },
    { K("'target':'tool'"), "/target", "one of prompt model", NULL },
    { K("'risk':'hgih'"), "/risk", "one of low medium high", "high" },

    /* steps */
    { K("'steps':'default'"), "/steps", "a list of names", NULL },
    { K("'steps':[]"), "/steps", "a list of names", NULL },
    { K("'steps':['a','a']"), "/steps/1", "not there yet", NULL },
    { K("'steps':['a','b c']"), "/steps/1", "a name", NULL },

    /* unit */
    { UNIT("1"), "/unit", "a source such as", NULL },
    { UNIT("'X-User'"), "/unit", "a source: header:NAME", NULL },
    { UNIT("'haeder:X-User'"), "/unit", "a source", "header:" },
    { UNIT("'header:'"), "/unit", "a header name behind", NULL },
    { UNIT("'header:X User'"), "/unit", "a header name behind", NULL },
    { UNIT("'header:X(User'"), "/unit", "a header name behind", NULL },
    { UNIT("'cookie:a;b'"), "/unit", "a cookie name behind", NULL },
    { UNIT("'arg:a=b'"), "/unit", "an argument name", NULL },
    { UNIT("'var:$user'"), "/unit", "without \"$\"", NULL },
    { UNIT("'json:'"), "/unit", "a JSON Pointer", NULL },
    { UNIT("'json:user'"), "/unit", "a JSON Pointer", NULL },
    { UNIT("'json:/a~2'"), "/unit", "a JSON Pointer", NULL },
    { UNIT("'jwt:'"), "/unit", "a claim", NULL },
    { UNIT("'auth:x'"), "/unit", "nothing behind", NULL },
    { UNIT("'mcp:id'"), "/unit", "\"mcp:session\"", NULL },
    { UNIT("{'type':'user'}"), "/unit/sources", "required", NULL },
    { UNIT("{'sources':[]}"), "/unit/sources", "a list of sources", NULL },
    { UNIT("{'sources':[1]}"), "/unit/sources/0", "a source", NULL },
    { UNIT("{'sources':['arg:a','arg:a']}"), "/unit/sources/1",
      "not there yet", NULL },
    { UNIT("{'sources':['header:X-A','header:x-a']}"), "/unit/sources/1",
      "not there yet", NULL },
    { UNIT("{'type':'a b','sources':['arg:a']}"), "/unit/type", "a name",
      NULL },
    { UNIT("{'sources':['arg:a'],'trust':'server'}"), "/unit/trust",
      "\"client\"", NULL },
    { UNIT("{'source':['arg:a'],'sources':['arg:a']}"), "/unit/source",
      "a key of a unit", "sources" },
    { K("'risk':'high'"), "/unit", "\"trust\": \"client\"", NULL },
    { "{'name':'t','risk':'high','unit':{'sources':['var:u','json:/u']},"
      VS "}", "/unit/trust", "\"trust\": \"client\"", NULL },
    { "{'name':'t','risk':'high','unit':{'sources':['arg:u'],"
      "'trust':'client'}," VS "}", NULL, NULL, NULL },
    { "{'name':'t','risk':'high','unit':'var:user'," VS "}", NULL, NULL,
      NULL },
    { "{'name':'t','risk':'high','unit':{'sources':['jwt:sub','auth:']},"
      VS "}", NULL, NULL, NULL },
    { "{'name':'t','risk':'high','unit':{'sources':['jwt:sub','header:U']},"
      VS "}", "/unit/trust", "\"trust\": \"client\"", NULL },

    /* hash */
    { K("'hash':'sha256'"), "/hash", "a hash, an object", NULL },
    { K("'hash':{'algorithm':'md5'}"), "/hash/algorithm", "one of sha256",
      NULL },
    { K("'hash':{'algorithm':'sha-256'}"), "/hash/algorithm", "one of",
      "sha256" },
    { K("'hash':{'salt':'a:b'}"), "/hash/salt", "without \":\"", NULL },
    { K("'hash':{'salt':'layer'}"), "/hash/salt", "another salt", NULL },
    { K("'hash':{'salt':'shadow'}"), "/hash/salt", "another salt", NULL },
    { K("'hash':{'salt':'draft'}"), "/hash/salt", "another salt", NULL },
    { K("'hash':{'salt':7}"), "/hash/salt", "a string", NULL },
    { K("'hash':{'salt':''}"), NULL, NULL, NULL },

    /* layer */
    { K("'layer':''"), "/layer", "a name", NULL },
    { K("'layer':[]"), "/layer", "a layer's name, or", NULL },
    { K("'layer':{'range':[0,1]}"), "/layer/name", "required", NULL },
    { K("'layer':{'name':'l','range':[0.5,0.5]}"), "/layer/range",
      "0 <= FROM < TO <= 1", NULL },
    { K("'layer':{'name':'l','range':[-0.1,0.5]}"), "/layer/range",
      "0 <= FROM", NULL },
    { K("'layer':{'name':'l','range':[0,1.1]}"), "/layer/range", "0 <= FROM",
      NULL },
    { K("'layer':{'name':'l','range':[0,0.1234567891]}"), "/layer/range",
      "nine digits", NULL },
    { K("'layer':{'name':'l','range':[0]}"), "/layer/range", "[FROM, TO]",
      NULL },
    { K("'layer':{'name':'l','range':[0,'1']}"), "/layer/range", "[FROM, TO]",
      NULL },
    { K("'layer':{'name':'l','range':[0,1e-9]}"), NULL, NULL, NULL },
    { K("'layer':{'name':'l','range':[0.10,0.123456789]}"), NULL, NULL,
      NULL },

    /* targeting, segments, windows, stage */
    { K("'targeting':{}"), "/targeting", "a list of", NULL },
    { K("'targeting':[1]"), "/targeting/0", "a condition", NULL },
    { K("'targeting':[{'op':'eq','value':''}]"), "/targeting/0/attribute",
      "required", NULL },
    { T("equal", "''"), "/targeting/0/op", "one of eq ne in", NULL },
    { T("eqq", "''"), "/targeting/0/op", "one of eq ne in", "eq" },
    { T("eq", "1"), "/targeting/0/value", "a string, as", NULL },
    { T("eq", "['a']"), "/targeting/0/value", "a string, as", NULL },
    { T("in", "'a'"), "/targeting/0/value", "a list of strings", NULL },
    { T("in", "[]"), "/targeting/0/value", "a list of strings", NULL },
    { T("in", "['a',1]"), "/targeting/0/value/1", "a string", NULL },
    { T("exists", "'true'"), "/targeting/0/value", "true or false", NULL },
    { T("gt", "10"), "/targeting/0/value", "a string, as", NULL },
    { T("lt", "'01'"), "/targeting/0/value", "a string with a number", NULL },
    { T("lt", "' 1'"), "/targeting/0/value", "a string with a number", NULL },
    { T("gt", "'ten'"), "/targeting/0/value", "a string with a number", NULL },
    { T("gt", "'1234567890123456789012345678901234567890123456789012345678901"
      "234'"), "/targeting/0/value", "a number of at most 63", NULL },
    { T("gt", "'1e3'"), NULL, NULL, NULL },
    { T("regex", "''"), "/targeting/0/value", "a pattern of 1 to", NULL },
    { T("regex", "'a('"), "/targeting/0/value",
      "a pattern of PCRE2: missing closing parenthesis, at byte 2", NULL },
    { T("regex", "'\\\\C'"), "/targeting/0/value", "using \\C is disabled",
      NULL },
    { T("regex", "'(?C1)'"), "/targeting/0/value", "callouts are not taken",
      NULL },
    { T("regex", "['a']"), "/targeting/0/value", "a string, as", NULL },
    { T("cidr", "'10.0.0.0'"), "/targeting/0/value", "an address", NULL },
    { T("cidr", "'10.0.0.0/33'"), "/targeting/0/value", "an address", NULL },
    { T("cidr", "'fe80::%1/64'"), "/targeting/0/value", "an address", NULL },
    { T("cidr", "'10.1.2.3/8'"), "/targeting/0/value", "a network",
      "10.0.0.0/8" },
    { T("cidr", "'2001:db8::1/32'"), "/targeting/0/value", "a network",
      "2001:db8::/32" },
    { T("cidr", "'10.0.0.0/8'"), NULL, NULL, NULL },
    { K("'segments':[]"), "/segments", "an object", NULL },
    { K("'segments':{'a':'arg:a','b':'arg:a','c':'arg:a','d':'arg:a',"
        "'e':'arg:a','f':'arg:a','g':'arg:a','h':'arg:a','i':'arg:a',"
        "'j':'arg:a','k':'arg:a','l':'arg:a','m':'arg:a','n':'arg:a',"
        "'o':'arg:a','p':'arg:a','q':'arg:a'}"), "/segments", "at most 16",
      NULL },
    { K("'segments':{'a b':'arg:x'}"), "/segments/a b", "a name", NULL },
    { K("'segments':{'a':1}"), "/segments/a", "a source, or", NULL },
    { K("'segments':{'a':{'values':['x']}}"), "/segments/a/source",
      "required", NULL },
    { K("'segments':{'a':{'source':'arg:x','values':['x'],"
        "'critical':['y']}}"), "/segments/a/critical/0", "one of \"values\"",
      NULL },
    { K("'segments':{'a':{'source':'arg:x','values':['acme'],"
        "'critical':['acne']}}"), "/segments/a/critical/0", "one of", "acme" },
    { K("'segments':{'a':{'source':'arg:x','critical':['y']}}"),
      "/segments/a/critical/0", "one of \"values\"", NULL },
    { K("'segments':{'a':{'source':'arg:x','values':[]}}"),
      "/segments/a/values", "a list of strings", NULL },
    { K("'segments':{'a':{'source':'arg:x','values':['']}}"),
      "/segments/a/values/0", "a string of 1 to 256 bytes", NULL },
    { K("'segments':{'a':{'source':'arg:x','values':['x',1]}}"),
      "/segments/a/values/1", "a string of 1", NULL },
    { K("'segments':{'a':{'source':'arg:x','values':['x','x']}}"),
      "/segments/a/values/1", "not there yet", NULL },
    { K("'segments':{'a':{'source':'arg:x','values':['other']}}"),
      "/segments/a/values/0", "a value but \"other\"", NULL },
    { K("'segments':{'a':{'source':'arg:x','value':['x']}}"),
      "/segments/a/value", "a key of a segment", "values" },

    /* what no log may have: ids of units, credentials */
    { K("'segments':{'a':'header:x-user'}"), "/segments/a",
      "a list of \"values\", as its source is the unit's", NULL },
    { K("'segments':{'a':{'source':'header:X-User'}}"), "/segments/a/values",
      "its source is the unit's", NULL },
    { K("'segments':{'a':'var:http_x_user'}"), "/segments/a", "the unit's",
      NULL },
    { K("'segments':{'a':'var:HTTP_X_User'}"), "/segments/a", "the unit's",
      NULL },
    { K("'segments':{'a':'header:X_User'}"), "/segments/a", "the unit's",
      NULL },
    { K("'segments':{'a':{'source':'header:X-User','values':['x']}}"), NULL,
      NULL, NULL },
    { K("'segments':{'a':'header:X-User2','b':'arg:X-User',"
        "'c':'var:x_user','d':'var:http_'}"), NULL, NULL, NULL },
    { "{'name':'t','unit':{'sources':['var:u','cookie:cid','arg:q','json:/u',"
      "'var:arg_z']},'segments':{'a':'var:U'}," VS "}", "/segments/a",
      "the unit's", NULL },
    { "{'name':'t','unit':{'sources':['var:u','cookie:cid']},"
      "'segments':{'a':'var:cookie_cid'}," VS "}", "/segments/a",
      "the unit's", NULL },
    { "{'name':'t','unit':{'sources':['var:u','var:arg_z']},"
      "'segments':{'a':'arg:z'}," VS "}", "/segments/a", "the unit's", NULL },
    { "{'name':'t','unit':'json:/u','segments':{'a':'json:/u'}," VS "}",
      "/segments/a", "the unit's", NULL },
    { "{'name':'t','unit':'json:/u','segments':{'a':'json:/U'}," VS "}", NULL,
      NULL, NULL },
    { K("'segments':{'a':'header:Authorization'}"), "/segments/a",
      "a credential", NULL },
    { K("'segments':{'a':'header:cookie'}"), "/segments/a", "a credential",
      NULL },
    { K("'segments':{'a':'var:http_x_api_key'}"), "/segments/a",
      "a credential", NULL },
    { K("'segments':{'a':'header:Proxy-Authorization'}"), "/segments/a",
      "a credential", NULL },
    { K("'segments':{'a':'auth:'}"), "/segments/a", "a credential", NULL },
    { K("'segments':{'a':'mcp:session'}"), "/segments/a", "a credential",
      NULL },
    { K("'segments':{'a':'jwt:plan','b':'cookie:plan'}"), NULL, NULL, NULL },
    { K("'windows':[]"), "/windows", "a list", NULL },
    { K("'windows':[{'from':'2026-01-01T00:00:00Z'}]"), "/windows/0/to",
      "required", NULL },
    { K("'windows':[{'from':'2026-01-01T00:00:00Z',"
        "'to':'2026-01-01T00:00:00Z'}]"), "/windows/0/to", "after \"from\"",
      NULL },
    { W("2026-01-01T01:00:00+01:00", "2026-01-01T00:00:00Z"),
      "/windows/0/to", "after \"from\"", NULL },
    { W("2026-01-01T00:00:00+00:00", "2027-01-01T00:00:00Z"), NULL, NULL,
      NULL },
    { W("2026-01-01t00:00:00z", "2027-01-01T00:00:00.000-23:59"), NULL, NULL,
      NULL },
    { W("2026-01-01T00:00:00.5Z", "2027-01-01T00:00:00Z"), "/windows/0/from",
      "a time in whole seconds", NULL },
    { W("2016-12-31T23:59:60Z", "2027-01-01T00:00:00Z"), "/windows/0/from",
      "a second from 00 to 59", NULL },
    { W("2026-02-29T00:00:00Z", "2027-01-01T00:00:00Z"), "/windows/0/from",
      "an RFC 3339 time", NULL },
    { W("2026-01-01T24:00:00Z", "2027-01-01T00:00:00Z"), "/windows/0/from",
      "an RFC 3339 time", NULL },
    { W("2026-01-01 00:00:00Z", "2027-01-01T00:00:00Z"), "/windows/0/from",
      "an RFC 3339 time", NULL },
    { W("2026-01-01T00:00:00", "2027-01-01T00:00:00Z"), "/windows/0/from",
      "an RFC 3339 time", NULL },
    { W("0000-01-01T00:00:00+00:01", "2027-01-01T00:00:00Z"),
      "/windows/0/from", "the years 0000 to 9999", NULL },
    { W("2026-01-01T00:00:00Z", "9999-12-31T23:59:59-00:01"),
      "/windows/0/to", "the years 0000 to 9999", NULL },
    { W("0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z"), NULL, NULL, NULL },
    { K("'stage':'ab'"), "/stage", "a stage, an object", NULL },
    { K("'stage':{'name':'rollout'}"), "/stage/name", "one of off canary ab",
      NULL },
    { K("'stage':{'exposure':0.1}"), "/stage/name", "required", NULL },
    { K("'stage':{'name':'ab','exposure':1.5}"), "/stage/exposure", "0 to 1",
      NULL },
    { K("'stage':{'name':'ab','exposure':0.0000000001}"), "/stage/exposure",
      "nine digits", NULL },

    /* variants */
    { V(A), "/variants", "two variants or more", NULL },
    { V("1,2"), "/variants/0", "a variant, an object", NULL },
    { V(A "," A), "/variants/1/name", "that no variant has", NULL },
    { V(A ",{}"), "/variants/1/name", "required", NULL },
    { V(A ",{'name':'b','wieght':1}"), "/variants/1/wieght",
      "a key of a variant", "weight" },
    { K("'baseline':'c'"), "/baseline", "the name of a variant", NULL },
    { K("'baseline':1"), "/baseline", "the name of a variant", NULL },
    { V("{'name':'a','parent':'b'}," B), "/variants/0/parent",
      "this is the baseline", NULL },
    { V(A ",{'name':'b','parent':'c'}"), "/variants/1/parent",
      "the name of a variant", NULL },
    { V(A ",{'name':'b','parent':'b'}"), "/variants/1/parent",
      "descends from the baseline", NULL },
    { V(A ",{'name':'b','parent':'c'},{'name':'c','parent':'b'}"),
      "/variants/1/parent", "descends from the baseline", NULL },
    { V(A ",{'name':'b','parent':'c'},{'name':'c'}"), NULL, NULL, NULL },
    { V("{'name':'a','weight':0.5}," B), "/variants/1/weight",
      "\"weight\", as other", NULL },
    { V("{'name':'a','weight':0.5},{'name':'b','weight':0.6}"),
      "/variants/1/weight", "sum to 1, not 1.1", NULL },
    { V("{'name':'a','weight':0.5},{'name':'b','weight':0.499998}"),
      "/variants/1/weight", "sum to 1", NULL },
    { V("{'name':'a','weight':0.5},{'name':'b','weight':0.499999}"), NULL,
      NULL, NULL },
    { V("{'name':'a','weight':0.5},{'name':'b','weight':0.500000001}"),
      "/variants/1/weight", "sum to 1", NULL },
    { V("{'name':'a','weight':1},{'name':'b','weight':0}"), NULL, NULL,
      NULL },
    { V("{'name':'a','weight':'1'},{'name':'b','weight':0}"),
      "/variants/0/weight", "0 to 1", NULL },
    { C("'allow_many':1"), "/variants/1/allow_many", "true or false", NULL },

    /* overrides */
    { C("'overrides':[]"), "/variants/1/overrides", "an object", NULL },
    { C("'overrides':{'other':{'top_p':1}}"), "/variants/1/overrides/other",
      "a step in scope: default", NULL },
    { S("'overrides':{'tow':{'top_p':1}}"), "/variants/1/overrides/tow",
      "a step in scope", "two" },
    { C("'overrides':{'default':1}"), "/variants/1/overrides/default",
      "an object", NULL },
    { O("'temprature':1"), "/variants/1/overrides/default/temprature",
      "one of system", "temperature" },
    { O("'temp':1"), "/variants/1/overrides/default/temp",
      "one of system", "temperature" },
    { O("'system':1"), "/variants/1/overrides/default/system", "a string",
      NULL },
    { O("'system':{'file':'x'}"), "/variants/1/overrides/default/system/value",
      "required", NULL },
    { O("'system':''"), NULL, NULL, NULL },
    { O("'temperature':2.0000000000000000001"),
      "/variants/1/overrides/default/temperature", "0 to 2", NULL },
    { O("'temperature':-0.1"), "/variants/1/overrides/default/temperature",
      "0 to 2", NULL },
    { O("'temperature':'1'"), "/variants/1/overrides/default/temperature",
      "a number from 0 to 2", NULL },
    { O("'temperature':2.00"), NULL, NULL, NULL },
    { O("'temperature':-0"), NULL, NULL, NULL },
    { O("'top_p':1.01"), "/variants/1/overrides/default/top_p", "0 to 1",
      NULL },
    { O("'max_tokens':0"), "/variants/1/overrides/default/max_tokens",
      "an integer of 1", NULL },
    { O("'max_tokens':1.5"), "/variants/1/overrides/default/max_tokens",
      "an integer of 1", NULL },
    { O("'max_tokens':true"), "/variants/1/overrides/default/max_tokens",
      "an integer of 1", NULL },
    { O("'model':''"), "/variants/1/overrides/default/model", "a model",
      NULL },
    { O("'verbosity':3"), "/variants/1/overrides/default/verbosity", "a word",
      NULL },
    { O("'top_p':{'value':3,'when':'absent'}"),
      "/variants/1/overrides/default/top_p/value", "0 to 1", NULL },
    { O("'top_p':{'value':1}"), "/variants/1/overrides/default/top_p/when",
      "required", NULL },
    { O("'top_p':{'value':1,'when':'present'}"),
      "/variants/1/overrides/default/top_p/when", "\"absent\"", NULL },
    { O("'top_p':1,'model':'m'"), "/variants/1", "one change, not 2", NULL },
    { C("'route':{'upstream':'u'},'tools':{'deny':['x']}"), "/variants/1",
      "one change, not 2", NULL },
    { C("'allow_many':true,'overrides':{'default':{'top_p':1,'model':'m'}}"),
      NULL, NULL, NULL },
    { V("{'name':'a','overrides':{'default':{'top_p':1,'model':'m'}}}," B),
      NULL, NULL, NULL },

    /* headers */
    { H("1"), "/variants/1/headers", "a header edit, an object", NULL },
    { H("{'set':{}}"), "/variants/1/headers/set", "a key of a header edit",
      NULL },
    { H("{'request':{'sett':{}}}"), "/variants/1/headers/request/sett",
      "a key of request headers", "set" },
    { H("{'request':{'set':{'X Y':''}}}"),
      "/variants/1/headers/request/set/X Y", "a header name", NULL },
    { H("{'request':{'set':{'X':'\\u00e9'}}}"),
      "/variants/1/headers/request/set/X", "printable ASCII", NULL },
    { H("{'request':{'set':{'X':'a\\r\\nb'}}}"),
      "/variants/1/headers/request/set/X", "printable ASCII", NULL },
    { H("{'request':{'set':{'X':'a\\tb'}}}"), NULL, NULL, NULL },
    { H("{'request':{'set':{'X':1}}}"), "/variants/1/headers/request/set/X",
      "a string", NULL },
    { H("{'request':{'set':{'Host':'x'}}}"),
      "/variants/1/headers/request/set/Host", "for routing", NULL },
    { H("{'request':{'remove':['authorization']}}"),
      "/variants/1/headers/request/remove/0", "for credentials", NULL },
    { H("{'request':{'remove':['Content_Length']}}"),
      "/variants/1/headers/request/remove/0", "for framing", NULL },
    { H("{'response':{'set':{'Set-Cookie':'x'}}}"),
      "/variants/1/headers/response/set/Set-Cookie", "for credentials",
      NULL },
    { H("{'response':{'set':{'Transfer-Encoding':'chunked'}}}"),
      "/variants/1/headers/response/set/Transfer-Encoding", "for framing",
      NULL },
    { H("{'response':{'remove':['X-Experiment-Variant']}}"),
      "/variants/1/headers/response/remove/0", "the edge itself", NULL },
    { H("{'request':{'set':{'X-A':'1','x-a':'2'}}}"),
      "/variants/1/headers/request/set/x-a", "each header once", NULL },
    { H("{'request':{'set':{'X-A':'1'},'remove':['x-a']}}"),
      "/variants/1/headers/request/remove/0", "each header once", NULL },
    { H("{'step':'other','request':{'set':{'X-A':'1'}}}"),
      "/variants/1/headers/step", "a step in scope", NULL },
    { C("'allow_many':true,'headers':{'request':{'set':{'X-A':'1'}},"
        "'response':{'set':{'X-A':'1'}}}"), NULL, NULL, NULL },

    /* route, mcp, tools, body */
    { C("'route':{}"), "/variants/1/route/upstream", "required", NULL },
    { C("'route':'u'"), "/variants/1/route", "a route, an object", NULL },
    { C("'route':{'upstream':'a/b'}"), "/variants/1/route/upstream", "a name",
      NULL },
    { C("'route':{'step':'x','upstream':'u'}"), "/variants/1/route/step",
      "a step in scope", NULL },
    { S("'allow_many':true,'route':[{'step':'one','upstream':'u'},"
        "{'step':'one','upstream':'v'}]"), "/variants/1/route/1",
      "one route for each step", NULL },
    { C("'mcp':{'serve':'s','server':'s'}"), "/variants/1/mcp/serve",
      "a key of an MCP server", "server" },
    { C("'tools':{}"), "/variants/1/tools", "\"allow\" or \"deny\"", NULL },
    { C("'tools':{'allow':['']}"), "/variants/1/tools/allow/0", "a pattern",
      NULL },
    { C("'body':{}"), "/variants/1/body", "a list of", NULL },
    { C("'body':[{'path':'/a'}]"), "/variants/1/body/0/op", "required",
      NULL },
    { C("'body':[{'op':'replace','path':'/a'}]"), "/variants/1/body/0/op",
      "one of set remove", NULL },
    { C("'body':[{'op':'set','path':'','value':1}]"),
      "/variants/1/body/0/path", "a JSON Pointer", NULL },
    { C("'body':[{'op':'set','path':'/a'}]"), "/variants/1/body/0/value",
      "as \"op\" is set", NULL },
    { C("'body':[{'op':'remove','path':'/a','value':1}]"),
      "/variants/1/body/0/value", "as \"op\" is remove", NULL },
    { C("'allow_many':true,'body':[{'op':'remove','path':'/a'},"
        "{'op':'remove','path':'/a/b'}]"), "/variants/1/body/1/path",
      "operation 0", NULL },
    { C("'allow_many':true,'body':[{'op':'remove','path':'/a'},"
        "{'op':'remove','path':'/ab'}]"), NULL, NULL, NULL },
    { S("'allow_many':true,'body':[{'step':'one','op':'remove','path':'/a'},"
        "{'step':'two','op':'remove','path':'/a'}]"), NULL, NULL, NULL },
    { V(A ",{'name':'b','body':[{'op':'remove','path':'/a'}]},{'name':'c',"
        "'parent':'b','body':[{'op':'set','path':'/a/b','value':1}]}"),
      "/variants/2/body", "apart from those of \"b\"", NULL },

    /* what analysis reads */
    { K("'metrics':{'primry':{}}"), "/metrics/primry", "a key of metrics",
      "primary" },
    { K("'metrics':{'primary':{'name':'r','kind':'binary'}}"),
      "/metrics/primary/direction", "required", NULL },
    { K("'metrics':{'primary':{'name':'r','kind':'rate','direction':'up'}}"),
      "/metrics/primary/kind", "one of binary", "ratio" },
    { K("'metrics':{'primary':{'name':'r','kind':'mean','direction':'up',"
        "'mde':0}}"), "/metrics/primary/mde", "above 0", NULL },
    { K("'metrics':{'primary':{'name':'r','kind':'mean','direction':'up',"
        "'min':2,'max':1}}"), "/metrics/primary/max", "above \"min\"", NULL },
    { K("'metrics':{'secondary':[1]}"), "/metrics/secondary/0", "a metric",
      NULL },
    { K("'metrics':{'guardrails':[{'metric':'m'}]}"),
      "/metrics/guardrails/0/limit", "required", NULL },
    { K("'metrics':{'guardrails':[{'metric':'m','limit':{}}]}"),
      "/metrics/guardrails/0/limit", "one of max min", NULL },
    { K("'metrics':{'guardrails':[{'metric':'m','limit':{'max':1},"
        "'window':'0m'}]}"), "/metrics/guardrails/0/window", "a duration",
      NULL },
    { K("'metrics':{'guardrails':[{'metric':'m','limit':{'max':1},"
        "'min_units':0}]}"), "/metrics/guardrails/0/min_units",
      "an integer of 1", NULL },
    { K("'design':{'method':'group-sequential'}"), "/design/method",
      "one of fixed", "group_sequential" },
    { K("'design':{'sided':2.0}"), "/design/sided", "1 or 2", NULL },
    { K("'design':{'alpha':0}"), "/design/alpha", "above 0", NULL },
    { K("'design':{'looks':[0.5,0.9]}"), "/design/looks", "the last 1",
      NULL },
    { K("'design':{'looks':[0.5,1],'boundaries':[2]}"), "/design/boundaries",
      "as many numbers", NULL },
    { K("'design':{'spending':'pocock','looks':[1],'boundaries':[2]}"),
      "/design/boundaries", "\"spending\" or", NULL },
    { K("'design':{'covariate':{'metric':'m'}}"), "/design/covariate/period",
      "required", NULL },
    { K("'decision':{}"), "/decision/currency", "required", NULL },
    { K("'decision':{'currency':'Usd'}"), "/decision/currency", "a currency",
      NULL },
    { K("'sources':[{'item':'x','recheck_by':'2026-13-01'}]"),
      "/sources/0/recheck_by", "a date", NULL },
    { K("'ofrep':{'members':['sytem']}"), "/ofrep/members/0",
      "one of system", "system" },
    { K("'observe':1"), "/observe", "true or false", NULL },
    { K("'ramp':1"), "/ramp", "an object or a list", NULL },
};


static char *
quoted(const char *s)
{
    char  *copy, *p;

    copy = strdup(s);

    for (p = copy; *p != '\0'; p++) {
        if (*p == '\'') {
            *p = '"';
        }
    }

    return copy;
}


static cJSON *
parse(const char *text)
{
    char               *copy;
    cJSON              *tree;
    nxe_json_result_t   result;

    copy = quoted(text);

    if (nxe_tree_parse(nxe_str_of(copy), &tree, &result) != NXE_OK) {
        fail_msg("%s: %zu", copy, result.offset);
    }

    free(copy);

    return tree;
}


static nxe_doc_t *
build(const char *text, nxe_arena_t *arena)
{
    cJSON         *tree;
    nxe_doc_t     *doc;
    nxe_faults_t   faults;

    nxe_faults_init(&faults, nxe_arena_mem(arena));
    tree = parse(text);

    if (nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), nxe_arena_mem(arena),
                      &faults, &doc)
        != NXE_OK)
    {
        fail_msg("%s: %s: %s", text, faults.fault[0].pointer,
                 faults.fault[0].expected);
    }

    cJSON_Delete(tree);

    return doc;
}


static void
test_rows(void **state)
{
    size_t         i;
    cJSON         *tree;
    nxe_doc_t     *doc;
    const row_t   *row;
    nxe_arena_t   *arena;
    nxe_fault_t   *fault;
    nxe_faults_t   faults;
    nxe_status_t   status;

    (void) state;

    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        row = &rows[i];
        arena = nxe_arena_new();
        nxe_faults_init(&faults, nxe_arena_mem(arena));
        tree = parse(row->doc);

        status = nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""),
                               nxe_arena_mem(arena), &faults, &doc);
        cJSON_Delete(tree);

        if (row->pointer == NULL) {
            if (status != NXE_OK) {
                fail_msg("%s: %s: %s", row->doc, faults.fault[0].pointer,
                         faults.fault[0].expected);
            }

            nxe_arena_free(arena);
            continue;
        }

        if (status != NXE_INVALID || faults.n == 0) {
            fail_msg("%s: not refused", row->doc);
        }

        fault = &faults.fault[0];

        if (strcmp(fault->pointer, row->pointer) != 0
            || strstr(fault->expected, row->expected) == NULL
            || strcmp(fault->near != NULL ? fault->near : "",
                      row->near != NULL ? row->near : "") != 0)
        {
            fail_msg("%s: %s: %s (%s)", row->doc, fault->pointer,
                     fault->expected, fault->near);
        }

        nxe_arena_free(arena);
    }
}


static void
test_all_faults(void **state)
{
    cJSON         *tree;
    char           text[4096], *p;
    int            i;
    nxe_doc_t     *doc;
    nxe_arena_t   *arena;
    nxe_faults_t   faults;

    (void) state;

    arena = nxe_arena_new();
    nxe_faults_init(&faults, nxe_arena_mem(arena));

    p = text + sprintf(text, "{'name':7,");

    for (i = 0; i < 100; i++) {
        p += sprintf(p, "'zz%d':%d,", i, i);
    }

    sprintf(p, "'risk':2}");

    tree = parse(text);

    assert_int_equal(nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""),
                                   nxe_arena_mem(arena), &faults, &doc),
                     NXE_INVALID);
    assert_int_equal(faults.n, 104);    /* name risk unit variants, 100 keys */
    assert_string_equal(faults.fault[0].pointer, "/name");
    assert_string_equal(faults.fault[0].found, "7");
    assert_int_equal(faults.fault[0].at_key, 0);
    assert_string_equal(faults.fault[4].found, "\"zz0\"");
    assert_int_equal(faults.fault[4].at_key, 1);
    assert_null(faults.fault[2].found);

    cJSON_Delete(tree);
    nxe_arena_free(arena);
}


#define BIG                                                                   \
    "{'name':'big','steps':['one','two'],"                                    \
    "'unit':{'type':'user','sources':['header:X-User','json:/u']},"           \
    "'hash':{'salt':''},'layer':{'name':'l','range':[0.25,0.75]},"            \
    "'targeting':[{'attribute':'header:X-T','op':'in','value':['a','b']},"    \
    "{'attribute':'cookie:c','op':'exists','value':false},"                   \
    "{'attribute':'arg:n','op':'regex','value':'^a'},"                        \
    "{'attribute':'var:remote_addr','op':'cidr','value':'10.0.0.0/8'}],"      \
    "'segments':{'plan':'json:/plan','tenant':{'source':'header:X-T',"        \
    "'values':['a','b'],'critical':['b']}},"                                  \
    "'windows':[{'from':'1970-01-02T00:00:00Z','to':'2000-03-01T00:00:01Z'}],"\
    "'stage':{'name':'canary','exposure':0.05},'owner':'ana',"                \
    "'variants':["                                                            \
    "{'name':'grand','parent':'child','allow_many':true,'weight':0.2,"        \
    " 'overrides':{'one':{'temperature':0.30},'two':{'model':'m'}},"          \
    " 'headers':{'request':{'set':{'x-a':'2'}}},"                             \
    " 'route':{'step':'two','upstream':'v'},"                                 \
    " 'body':[{'op':'remove','path':'/meta'}]},"                              \
    "{'name':'child','allow_many':true,'weight':0.3,"                         \
    " 'overrides':{'one':{'system':'S\\n','temperature':1e-1}},"              \
    " 'headers':[{'request':{'set':{'X-A':'1'},'remove':['X-B']}},"           \
    "  {'step':'two','response':{'set':{'X-A':'3'}}}],"                       \
    " 'route':{'upstream':'u'},"                                              \
    " 'body':[{'op':'set','path':'/meta','value':{'b':[1,2.50],'a':null}}]}," \
    "{'name':'base','weight':0.499999,'overrides':{'two':"                    \
    " {'max_tokens':{'value':400,'when':'absent'},'model':'m'}}}],"           \
    "'baseline':'base'}"


static void
bytes_are(const nxe_doc_t *doc, nxe_bytes_t b, const char *expected)
{
    assert_true(b.offset + b.len <= doc->bytes_len);
    assert_int_equal(b.len, strlen(expected));
    assert_memory_equal(doc->bytes + b.offset, expected, b.len);
}


static void
check_big(const nxe_doc_t *doc)
{
    const nxe_effective_t  *e;

    assert_int_equal(doc->nvariants, 3);
    assert_int_equal(doc->baseline, 2);
    assert_int_equal(doc->weight_den, 1000000000);
    assert_int_equal(doc->variants[0].weight, 200000000);
    assert_int_equal(doc->variants[2].weight, 500000000);
    assert_int_equal(doc->variants[0].parent, 1);
    assert_int_equal(doc->variants[1].parent, 2);
    assert_true(doc->variants[2].parent == NXE_NONE);
    assert_int_equal(doc->salt.len, 0);
    assert_true(nxe_str_eq(doc->unit_type, nxe_str("user")));
    assert_true(nxe_str_eq(doc->sources[0].name, nxe_str("x-user")));
    assert_true(nxe_str_eq(doc->sources[1].name, nxe_str("/u")));
    assert_int_equal(doc->windows[0].from, 86400);
    assert_int_equal(doc->windows[0].to, 951868801);
    assert_int_equal(doc->targeting[0].nvalues, 2);
    assert_int_equal(doc->targeting[1].wanted, 0);
    assert_non_null(doc->targeting[2].regex);
    assert_int_equal(doc->targeting[3].cidr->bits, 104);
    assert_int_equal(doc->nsegments, 2);
    assert_true(nxe_str_eq(doc->segments[0].name, nxe_str("plan")));
    assert_int_equal(doc->segments[0].source.type, NXE_SOURCE_JSON);
    assert_int_equal(doc->segments[0].nvalues, 0);
    assert_true(nxe_str_eq(doc->segments[1].source.name, nxe_str("x-t")));
    assert_int_equal(doc->segments[1].nvalues, 2);
    assert_true(nxe_str_eq(doc->segments[1].values[1], nxe_str("b")));
    assert_int_equal(nxe_frac_threshold(doc->layer_from), 1u << 30);

    /* grand on one: its own, its parent's, the baseline's */
    e = &doc->effective[0];
    bytes_are(doc, e->params[NXE_TEMPERATURE]->value, "0.30");
    bytes_are(doc, e->params[NXE_SYSTEM]->value, "\"S\\n\"");
    assert_int_equal(e->from[NXE_TEMPERATURE], 0);
    assert_int_equal(e->from[NXE_SYSTEM], 1);
    assert_null(e->params[NXE_MODEL]);
    assert_int_equal(e->nheaders, 2);
    assert_true(nxe_str_eq(e->headers[0]->value, nxe_str("2")));
    assert_int_equal(e->headers_from[0], 0);
    assert_int_equal(e->headers[1]->remove, 1);
    assert_true(nxe_str_eq(e->route->upstream, nxe_str("u")));
    assert_int_equal(e->nops, 1);
    assert_int_equal(e->ops[0]->remove, 1);

    /* grand on two */
    e = &doc->effective[1];
    assert_int_equal(e->nheaders, 3);
    assert_true(nxe_str_eq(e->route->upstream, nxe_str("v")));
    assert_int_equal(e->from[NXE_MODEL], 0);
    assert_int_equal(e->params[NXE_MAX_TOKENS]->if_absent, 1);
    assert_int_equal(e->from[NXE_MAX_TOKENS], 2);

    /* child on one */
    e = &doc->effective[2];
    bytes_are(doc, e->params[NXE_TEMPERATURE]->value, "1e-1");
    bytes_are(doc, e->ops[0]->value, "{\"a\":null,\"b\":[1,2.50]}");

    assert_int_equal(doc->steps[0].params,
                     1 << NXE_SYSTEM | 1 << NXE_TEMPERATURE);
    assert_int_equal(doc->steps[1].params,
                     1 << NXE_MODEL | 1 << NXE_MAX_TOKENS);
    assert_int_equal(doc->steps[0].changes, 1);
    assert_int_equal(doc->steps[0].body, 1);
}


static void
test_full(void **state)
{
    nxe_doc_t    *doc;
    nxe_arena_t  *arena;

    (void) state;

    arena = nxe_arena_new();

    doc = build(BIG, arena);
    check_big(doc);
    assert_true(nxe_str_eq(doc->stage, nxe_str("canary")));
    assert_int_equal(doc->has_exposure, 1);
    assert_true(nxe_str_eq(doc->owner, nxe_str("ana")));
    assert_null(doc->unbuilt);

    doc = build(K("'description':'d'"), arena);
    assert_int_equal(doc->weight_den, 2);
    assert_int_equal(doc->nsteps, 1);
    assert_int_equal(doc->steps[0].changes, 0);
    assert_true(nxe_str_eq(doc->salt, nxe_str("t")));
    assert_true(nxe_str_eq(doc->layer, nxe_str("default")));
    assert_true(nxe_str_eq(doc->unit_type, nxe_str("unit")));
    assert_true(nxe_str_eq(doc->stage, nxe_str("off")));
    assert_int_equal(doc->owner.len, 0);
    assert_null(doc->unbuilt);

    nxe_arena_free(arena);
}


static nxe_status_t
serving(const char *json, nxe_str_t bytes, nxe_arena_t *arena,
    nxe_faults_t *faults, nxe_doc_t **doc)
{
    cJSON         *tree;
    nxe_status_t   status;

    tree = parse(json);
    nxe_faults_init(faults, nxe_arena_mem(arena));

    status = nxe_doc_build(tree, NXE_DOC_SERVING, bytes, nxe_arena_mem(arena),
                           faults, doc);
    cJSON_Delete(tree);

    return status;
}


/* The form that is published says the same, and equal values stand once. */

static void
test_serving(void **state)
{
    cJSON         *tree;
    nxe_doc_t     *doc;
    nxe_buf_t      json, bytes;
    nxe_arena_t   *arena;
    nxe_faults_t   faults;

    (void) state;

    arena = nxe_arena_new();
    nxe_buf_init(&json, 1 << 20);
    nxe_buf_init(&bytes, 1 << 20);

    /* what other documents have put there */
    nxe_buf_add(&bytes, nxe_str("before"));

    tree = parse(BIG);
    assert_int_equal(nxe_doc_serving(tree, &json, &bytes), NXE_OK);
    nxe_buf_addc(&json, '\0');

    assert_int_equal(serving(json.data,
                             (nxe_str_t) { bytes.data + 6, bytes.len - 6 },
                             arena, &faults, &doc),
                     NXE_OK);
    check_big(doc);

    assert_int_equal(bytes.len - 6,
                     strlen("\"S\\n\"" "0.30" "1e-1" "\"m\"" "400"
                            "{\"a\":null,\"b\":[1,2.50]}"));
    assert_null(strstr(json.data, "owner"));
    assert_null(strstr(json.data, "stage"));
    assert_null(strstr(json.data, "allow_many"));

    cJSON_Delete(tree);

    /* by these a worker knows which units count */

    json.len = 0;
    tree = parse("{'name':'t','risk':'high','unit':{'sources':['jwt:a'],"
                 "'trust':'client'}," VS "}");
    assert_int_equal(nxe_doc_serving(tree, &json, &bytes), NXE_OK);
    nxe_buf_addc(&json, '\0');
    assert_int_equal(serving(json.data, nxe_str(""), arena, &faults, &doc),
                     NXE_OK);
    assert_int_equal(doc->risk_high, 1);
    assert_int_equal(doc->trust_client, 1);

    cJSON_Delete(tree);
    nxe_buf_free(&json);
    nxe_buf_free(&bytes);
    nxe_arena_free(arena);
}


static void
test_serving_hostile(void **state)
{
    size_t                i;
    char                  text[512];
    nxe_doc_t            *doc;
    nxe_arena_t          *arena;
    nxe_faults_t          faults;

    static const struct {
        const char  *param;
        nxe_str_t    bytes;
        int          good;
    } values[] = {
        { "'top_p':{'at':[0,3]}", nxe_str("0.5"), 1 },
        { "'top_p':{'value':{'at':[0,3]},'when':'absent'}", nxe_str("0.5"),
          1 },
        { "'system':{'at':[1,3]}", nxe_str(" \"a\" "), 1 },
        { "'top_p':0.5", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[0,4]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[4,0]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[3,4294967295]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[4294967296,3]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[-1,3]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[0.0,3]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[0,3,1]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[0,3],'x':1}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[0,0]}", nxe_str("0.5"), 0 },
        { "'top_p':{'at':[0,4]}", nxe_str("0.5 "), 0 },
        { "'top_p':{'at':[0,3]}", nxe_str("1.5"), 0 },
        { "'top_p':{'at':[0,3]}", nxe_str("\"a\""), 0 },
        { "'system':{'at':[0,3]}", nxe_str("0.5"), 0 },
        { "'system':{'at':[0,2]}", nxe_str("\"a\""), 0 },
        { "'system':{'at':[0,7]}", nxe_str("\"a\",\"x\""), 0 },
        { "'system':{'at':[0,3]}", nxe_str("\"\n\""), 0 },
        { "'system':{'at':[0,3]}", nxe_str("\"\xff\""), 0 },
        { "'model':{'at':[0,2]}", nxe_str("\"\""), 0 },
        { "'max_tokens':{'at':[0,3]}", nxe_str("1.0"), 0 },
    };

    (void) state;

    for (i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        arena = nxe_arena_new();
        snprintf(text, sizeof(text), "{'name':'t'," U ",'variants':[" A
                 ",{'name':'b','overrides':{'default':{%s}}}]}",
                 values[i].param);

        if (serving(text, values[i].bytes, arena, &faults, &doc)
            != (values[i].good ? NXE_OK : NXE_INVALID))
        {
            fail_msg("%s in %.*s", values[i].param,
                     (int) values[i].bytes.len, values[i].bytes.data);
        }

        nxe_arena_free(arena);
    }

    /* what apply refuses, a worker refuses too */
    arena = nxe_arena_new();
    assert_int_equal(serving(K("'risk':'high'"), nxe_str(""), arena, &faults,
                             &doc),
                     NXE_INVALID);
    assert_string_equal(faults.fault[0].pointer, "/unit");
    nxe_arena_free(arena);

    /* a key that live traffic has no use for */
    arena = nxe_arena_new();
    assert_int_equal(serving(K("'owner':'ana'"), nxe_str(""), arena, &faults,
                             &doc),
                     NXE_INVALID);
    assert_string_equal(faults.fault[0].pointer, "/owner");
    nxe_arena_free(arena);
}


/* Windows: one spelling of a time, whatever it was. */

static void
test_respell(void **state)
{
    cJSON      *tree;
    nxe_buf_t   out;

    (void) state;

    tree = parse("{'windows':[{'from':'2026-11-20t10:30:00.000+01:30',"
                 "'to':'2026-11-20T09:00:01Z'},"
                 "{'from':'2026-12-31T23:00:00-02:00','to':7}],"
                 "'owner':'2026-11-20t10:30:00+01:30'}");
    nxe_doc_respell(tree);

    nxe_buf_init(&out, 4096);
    assert_int_equal(nxe_tree_canonical(tree, &out), NXE_OK);
    assert_int_equal(nxe_buf_addc(&out, '\0'), NXE_OK);
    assert_string_equal(out.data,
                        "{\"owner\":\"2026-11-20t10:30:00+01:30\","
                        "\"windows\":["
                        "{\"from\":\"2026-11-20T09:00:00Z\","
                        "\"to\":\"2026-11-20T09:00:01Z\"},"
                        "{\"from\":\"2027-01-01T01:00:00Z\",\"to\":7}]}");
    nxe_buf_free(&out);
    cJSON_Delete(tree);

    tree = parse("{'name':'t'}");
    nxe_doc_respell(tree);
    cJSON_Delete(tree);
}


static void
test_unbuilt(void **state)
{
    size_t        i;
    nxe_doc_t    *doc;
    nxe_arena_t  *arena;

    static const char  *docs[][2] = {
        { K("'hash':{'algorithm':'unleash'}"), "hash.algorithm" },
        { UNIT("'mcp:session'"), "unit.sources" },
        { UNIT("'jwt:sub'"), NULL },
        { UNIT("'auth:'"), NULL },
        { T("regex", "'a'"), NULL },
        { T("gt", "'1'"), NULL },
        { T("cidr", "'10.0.0.0/8'"), NULL },
        { K("'targeting':[{'attribute':'mcp:session','op':'exists',"
            "'value':true}]"), "targeting.attribute" },
        { K("'targeting':[{'attribute':'auth:','op':'exists','value':true},"
            "{'attribute':'jwt:tenant','op':'eq','value':'a'}]"), NULL },
        { C("'mcp':{'server':'s'}"), "variants.mcp" },
        { C("'tools':{'deny':['x']}"), "variants.tools" },
        { C("'body':[{'op':'remove','path':'/a'}]"), NULL },
        { K("'ramp':[]"), "ramp" },
        { K("'observe':true"), "observe" },
        { K("'observe':false"), NULL },
        { K("'segments':{'t':'header:X-T'}"), NULL },
        { K("'hash':{'algorithm':'sha256'}"), NULL },
    };

    (void) state;

    arena = nxe_arena_new();

    for (i = 0; i < sizeof(docs) / sizeof(docs[0]); i++) {
        doc = build(docs[i][0], arena);

        if (docs[i][1] == NULL) {
            assert_null(doc->unbuilt);

        } else {
            assert_non_null(doc->unbuilt);
            assert_string_equal(doc->unbuilt, docs[i][1]);
        }
    }

    nxe_arena_free(arena);
}


static void
test_changes(void **state)
{
    size_t       i;
    cJSON       *a, *b;
    const char  *what;

    static const char  *pairs[][3] = {
        /* what is written otherwise and means the same */
        { K("'owner':'x'"), K("'owner':'y'"), NULL },
        { K("'owner':'x'"), K("'layer':'default','owner':'x'"), NULL },
        { K("'steps':['one','two']"), K("'steps':['two','one']"), NULL },
        { K("'hash':{}"), K("'hash':{'salt':'t','algorithm':'sha256'}"),
          NULL },
        { K("'baseline':'a'"), K("'owner':'x'"), NULL },
        { UNIT("'header:X-A'"), UNIT("{'sources':['header:x-a']}"), NULL },
        { V("{'name':'a','weight':0.5},{'name':'b','weight':0.5}"), V(A "," B),
          NULL },
        { V(A ",{'name':'b','parent':'a','route':{'upstream':'u'}}"),
          C("'route':[{'upstream':'u'}]"), NULL },
        { K("'windows':[{'from':'2026-01-01T00:00:00Z',"
            "'to':'2027-01-01T00:00:00Z'}]"), K("'owner':'x'"), NULL },
        { K("'segments':{'a':'arg:a'}"), K("'owner':'x'"), NULL },
        { K("'segments':{'a':'arg:a'}"),
          K("'segments':{'a':{'source':'arg:b','values':['x']}}"), NULL },
        { K("'risk':'low'"), K("'risk':'medium'"), NULL },
        { "{'name':'t','risk':'high','unit':{'sources':['var:v'],"
          "'trust':'client'}," VS "}", UNIT("'var:v'"), NULL },

        /* what a unit gets */
        { K("'owner':'x'"), K("'hash':{'salt':'u'}"), "hash" },
        { K("'owner':'x'"), K("'hash':{'algorithm':'unleash'}"), "hash" },
        { K("'owner':'x'"), K("'layer':'l'"), "layer" },
        { K("'owner':'x'"), K("'layer':{'name':'default','range':[0,0.5]}"),
          "layer" },
        { K("'owner':'x'"), K("'steps':['one']"), "steps" },
        { K("'owner':'x'"), K("'baseline':'b'"), "baseline" },
        { T("eq", "'a'"), T("eq", "'b'"), "targeting" },
        { T("eq", "'a'"), T("ne", "'a'"), "targeting" },
        { T("regex", "'a'"), T("regex", "'b'"), "targeting" },
        { T("cidr", "'10.0.0.0/8'"), T("cidr", "'10.0.0.0/9'"), "targeting" },
        { UNIT("'header:X-A'"), UNIT("'header:X-B'"), "unit" },
        { UNIT("'header:X-A'"),
          UNIT("{'type':'user','sources':['header:X-A']}"), "unit" },
        { UNIT("'var:v'"), "{'name':'t','risk':'high','unit':'var:v'," VS "}",
          "unit" },
        { V(A "," B), V(B "," A), "variants" },
        { V(A "," B), V(A "," B ",{'name':'c'}"), "variants" },
        { V("{'name':'a','weight':0.6},{'name':'b','weight':0.4}"), V(A "," B),
          "weights" },
        { O("'top_p':1"), O("'top_p':0.5"), "variants" },
        { O("'top_p':1"), O("'top_p':{'value':1,'when':'absent'}"),
          "variants" },
        { H("{'request':{'set':{'X':'1'}}}"),
          H("{'request':{'set':{'X':'2'}}}"), "variants" },
        { C("'route':{'upstream':'u'}"), C("'route':{'upstream':'v'}"),
          "variants" },
        { C("'body':[{'op':'remove','path':'/a'}]"),
          C("'body':[{'op':'set','path':'/a','value':1}]"), "variants" },
        { C("'tools':{'deny':['x']}"), C("'tools':{'deny':['y']}"), "tools" },
        { C("'mcp':{'server':'x'}"), V(A "," B), "mcp" },
        { K("'ramp':[]"), K("'ramp':[1]"), "ramp" },
    };

    (void) state;

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        a = parse(pairs[i][0]);
        b = parse(pairs[i][1]);
        what = "";

        if (pairs[i][2] == NULL) {
            if (nxe_doc_changes_traffic(a, b, &what)) {
                fail_msg("%s, %s: %s", pairs[i][0], pairs[i][1], what);
            }

        } else {
            assert_int_equal(nxe_doc_changes_traffic(a, b, &what), 1);
            assert_string_equal(what, pairs[i][2]);
            assert_int_equal(nxe_doc_changes_traffic(b, a, NULL), 1);
        }

        cJSON_Delete(a);
        cJSON_Delete(b);
    }
}


#define L(layer, b)                                                           \
    "{'name':'t','layer':" layer "," U ",'variants':[" A ",{'name':'b'," b "}]}"

static void
test_conflict(void **state)
{
    size_t         i;
    nxe_doc_t     *a, *b;
    nxe_arena_t   *arena;
    nxe_error_t    err;

    static const char  *pairs[][3] = {
        { L("{'name':'l','range':[0,0.5]}", "'route':{'upstream':'u'}"),
          L("{'name':'l','range':[0.5,1]}", "'route':{'upstream':'u'}"),
          NULL },
        { L("{'name':'l','range':[0,0.5]}", "'parent':'a'"),
          L("{'name':'l','range':[0.499999999,1]}", "'parent':'a'"),
          "overlaps" },
        { L("'l'", "'parent':'a'"), L("'l'", "'parent':'a'"), "overlaps" },
        { L("'l'", "'overrides':{'default':{'top_p':1}}"),
          L("'m'", "'overrides':{'default':{'top_p':0}}"),
          "both change top_p on step \"default\"" },
        { L("'l'", "'overrides':{'default':{'top_p':1}}"),
          L("'m'", "'overrides':{'default':{'model':'m'}}"), NULL },
        { L("'l'", "'headers':{'request':{'set':{'X-A':''}}}"),
          L("'m'", "'headers':{'request':{'remove':['x-a']}}"),
          "request header X-A" },
        { L("'l'", "'headers':{'request':{'set':{'X-A':''}}}"),
          L("'m'", "'headers':{'response':{'remove':['x-a']}}"), NULL },
        { L("'l'", "'route':{'upstream':'u'}"),
          L("'m'", "'route':{'upstream':'u'}"), "the route" },
        { L("'l'", "'tools':{'deny':['x']}"),
          L("'m'", "'tools':{'deny':['y']}"), "the tools" },
        { L("'l'", "'body':[{'op':'remove','path':'/a'}]"),
          L("'m'", "'body':[{'op':'remove','path':'/a/b'}]"), "body /a" },
    };

    (void) state;

    arena = nxe_arena_new();

    for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        a = build(pairs[i][0], arena);
        b = build(pairs[i][1], arena);
        err.text[0] = '\0';

        if (pairs[i][2] == NULL) {
            assert_int_equal(nxe_doc_conflict(a, b, &err), NXE_OK);
            continue;
        }

        assert_int_equal(nxe_doc_conflict(a, b, &err), NXE_CONFLICT);

        if (strstr(err.text, pairs[i][2]) == NULL) {
            fail_msg("%s: %s", pairs[i][2], err.text);
        }

        assert_int_equal(nxe_doc_conflict(b, a, &err), NXE_CONFLICT);
    }

    a = build(L("{'name':'default','range':[0,0.5]}", "'parent':'a'"), arena);
    b = build(UNIT("'arg:u'"), arena);
    assert_int_equal(nxe_doc_conflict(a, b, &err), NXE_CONFLICT);
    assert_non_null(strstr(err.text, "differ in their unit"));

    nxe_arena_free(arena);
}


static void
test_source(void **state)
{
    nxe_arena_t   *arena;
    nxe_source_t   source;

    (void) state;

    arena = nxe_arena_new();

    assert_int_equal(nxe_source_parse(nxe_str("header:X-User"),
                                      nxe_arena_mem(arena), &source),
                     NXE_OK);
    assert_int_equal(source.type, NXE_SOURCE_HEADER);
    assert_true(nxe_str_eq(source.name, nxe_str("x-user")));

    assert_int_equal(nxe_source_parse(nxe_str("json:/A~1b"),
                                      nxe_arena_mem(arena), &source),
                     NXE_OK);
    assert_true(nxe_str_eq(source.name, nxe_str("/A~1b")));

    assert_int_equal(nxe_source_parse(nxe_str("auth:"), nxe_arena_mem(arena),
                                      &source),
                     NXE_OK);
    assert_int_equal(source.type, NXE_SOURCE_AUTH);

    assert_int_equal(nxe_source_parse(nxe_str("header"), nxe_arena_mem(arena),
                                      &source),
                     NXE_INVALID);

    nxe_arena_free(arena);
}


/* SECURITY 9, name by name. */

static void
test_headers(void **state)
{
    size_t  i;

    static const char  *refused[] = {
        "host", "content-length", "content-type", "content-", "content-md5",
        "transfer-encoding", "connection", "keep-alive", "te", "trailer",
        "upgrade", "expect", "authorization", "proxy-authorization",
        "proxy-connection", "cookie", "set-cookie", "x-api-key", "api-key",
        "x-forwarded-for", "x-forwarded-proto", "forwarded",
        "x-accel-redirect", "mcp-session-id", "mcp-method",
        "x-experiment-token", "content_length", "x_experiment_a",
        "transfer_encoding"
    };

    static const char  *allowed[] = {
        "x-prompt", "hosts", "xhost", "contents", "tea", "x-te",
        "authorization2", "cookies", "x-forwarded", "x-experiment", "accept",
        "user-agent", "x-request-id", ""
    };

    (void) state;

    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_non_null(nxe_header_refused(nxe_str_of(refused[i]), 0));
        assert_non_null(nxe_header_refused(nxe_str_of(refused[i]), 1));
    }

    for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (nxe_header_refused(nxe_str_of(allowed[i]), 0) != NULL) {
            fail_msg("%s", allowed[i]);
        }
    }

    assert_int_equal(nxe_header_ours(nxe_str("X_Experiment-A")), 1);
    assert_int_equal(nxe_header_ours(nxe_str("x-experiment-")), 1);
    assert_int_equal(nxe_header_ours(nxe_str("x-experiment")), 0);
    assert_int_equal(nxe_header_ours(nxe_str("x-experimentsa")), 0);
    assert_int_equal(nxe_header_ours(nxe_str("")), 0);

    assert_int_equal(nxe_header_name_ok(nxe_str("")), 0);
    assert_int_equal(nxe_header_name_ok(nxe_str("a\0b")), 0);
    assert_int_equal(nxe_header_name_ok(nxe_str("a:b")), 0);
    assert_int_equal(nxe_header_name_ok(nxe_str("!#$%&'*+-.^_`|~9a")), 1);
    assert_int_equal(nxe_header_value_ok(nxe_str("")), 1);
    assert_int_equal(nxe_header_value_ok(nxe_str("a\x7f")), 0);
    assert_int_equal(nxe_header_value_ok(nxe_str("a\0")), 0);
}


/* Every allocation that fails leaves NXE_NOMEM and no fault of its own. */

typedef struct {
    nxe_arena_t  *arena;
    int           left;
} poor_t;


static void *
poor_alloc(void *ctx, size_t size)
{
    poor_t           *poor;
    const nxe_mem_t  *mem;

    poor = ctx;

    if (poor->left-- <= 0) {
        return NULL;
    }

    mem = nxe_arena_mem(poor->arena);

    return nxe_alloc(mem, size);
}


static void
test_nomem(void **state)
{
    int            i, n;
    cJSON         *tree;
    poor_t         poor;
    nxe_doc_t     *doc;
    nxe_mem_t      mem;
    nxe_faults_t   faults;
    nxe_status_t   status;

    static const char  *docs[] = { BIG, K("'zzz':1,'risk':2") };

    (void) state;

    mem.alloc = poor_alloc;
    mem.ctx = &poor;

    for (n = 0; n < 2; n++) {
        tree = parse(docs[n]);

        for (i = 0; i < 10000; i++) {
            poor.arena = nxe_arena_new();
            poor.left = i;
            nxe_faults_init(&faults, &mem);

            status = nxe_doc_build(tree, NXE_DOC_FULL, nxe_str(""), &mem,
                                   &faults, &doc);
            nxe_arena_free(poor.arena);

            if (status != NXE_NOMEM) {
                break;
            }
        }

        assert_int_equal(status, n == 0 ? NXE_OK : NXE_INVALID);
        assert_true(i > 5);

        cJSON_Delete(tree);
    }
}


int
main(void)
{
    const struct CMUnitTest  tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_all_faults),
        cmocka_unit_test(test_full),
        cmocka_unit_test(test_serving),
        cmocka_unit_test(test_serving_hostile),
        cmocka_unit_test(test_respell),
        cmocka_unit_test(test_unbuilt),
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_conflict),
        cmocka_unit_test(test_source),
        cmocka_unit_test(test_headers),
        cmocka_unit_test(test_nomem),
    };

    setenv("CMOCKA_MESSAGE_OUTPUT", "TAP", 1);

    return cmocka_run_group_tests(tests, NULL, NULL);
}
