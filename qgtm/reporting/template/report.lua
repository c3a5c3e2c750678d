-- HTML classes become calls of the functions in report.typ.
local spans = { gain = true, loss = true }
local blocks = { quiet = true, lede = true, notice = true }

local function typst(list)
  return pandoc.write(pandoc.Pandoc(list), 'typst')
end

local function wrapped(name, content)
  local list = pandoc.Blocks({ pandoc.RawBlock('typst', '#' .. name .. '[') })
  list:extend(content)
  list:insert(pandoc.RawBlock('typst', ']'))
  return list
end

function Span(el)
  for _, class in ipairs(el.classes) do
    if spans[class] then
      local list = pandoc.Inlines({ pandoc.RawInline('typst', '#' .. class .. '[') })
      list:extend(el.content)
      list:insert(pandoc.RawInline('typst', ']'))
      return list
    end
  end
end

function Image(el)
  el.attributes.width = '80%'
  return el
end

local function tiles(el)
  local cells = {}
  for _, tile in ipairs(el.content) do
    local parts = {}
    for _, part in ipairs(tile.content) do
      parts[#parts + 1] = '[' .. typst({ part }) .. ']'
    end
    cells[#cells + 1] = 'tile(' .. table.concat(parts, ', ') .. ')'
  end
  return pandoc.RawBlock('typst', '#tiles(' .. table.concat(cells, ', ') .. ')')
end

function Div(el)
  if el.classes:includes('tiles') then
    return tiles(el)
  end
  if el.classes:includes('tile') then
    return el -- its three lines are set by `tiles`, which comes to it from outside
  end
  for _, class in ipairs(el.classes) do
    if blocks[class] then
      return wrapped(class, el.content)
    end
  end
  return el.content
end
