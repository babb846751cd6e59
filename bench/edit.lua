-- The bench's override as a user of nginx's Lua module would write it: decode,
-- set four members, encode.  Names are local and the module stays loaded, so
-- LuaJIT compiles the way through; resty.core gives FFI versions of ngx.*.

local cjson = require "cjson.safe"

local decode, encode = cjson.decode, cjson.encode
local read_body = ngx.req.read_body
local get_body_data = ngx.req.get_body_data
local get_body_file = ngx.req.get_body_file
local set_body_data = ngx.req.set_body_data
local crc32_short = ngx.crc32_short
local insert, open = table.insert, io.open

-- the buffer that encode() writes to stays for the next request
cjson.encode_keep_buffer(true)

local SYSTEM = "You are a concise assistant. Answer in one paragraph."
local CONTROL = 4       -- of 2^32: as in the module's document, next to none


local function spooled()
    local path = get_body_file()
    local f = path and open(path, "rb")

    if not f then
        return nil
    end

    local body = f:read("*a")
    f:close()
    return body
end


local function access()
    local var = ngx.var
    local unit = var.http_x_conversation_id

    if not unit or crc32_short(unit) < CONTROL then
        var.variant = "control"
        return
    end

    var.variant = "changed"
    read_body()

    local request = decode(get_body_data() or spooled() or "")

    if type(request) ~= "table" or type(request.messages) ~= "table" then
        return
    end

    local first = request.messages[1]

    if first and first.role == "system" then
        first.content = SYSTEM
    else
        insert(request.messages, 1, { role = "system", content = SYSTEM })
    end

    request.temperature = 0.2
    request.model = "gpt-4o-mini"
    request.max_tokens = 400

    set_body_data(encode(request))
end


return { access = access }
