#include <gtest/gtest.h>

#include "base/error.h"
#include "base/value.h"
#include "resolver/standards/html_scanner.h"
#include "resolver/standards/simple_page.h"

namespace dae::resolver {
namespace {

const std::string kUrl = "https://host/root/simple/flask/";
const std::string kSha = std::string(64, 'a');

ProjectPage html(const std::string& body) {
  return parse_project_page(body, "text/html; charset=utf-8", kUrl, "Flask");
}
ProjectPage json(const std::string& body) {
  return parse_project_page(body, kSimpleJson, kUrl, "Flask");
}
ProjectPage json_files(const std::string& files) {
  return json(R"({"meta":{"api-version":"1.4"},"files":[)" + files + "]}");
}

TEST(SimpleHtml, ReadsAnchorsOfAnySpelling) {
  const auto page = html(
      "<!DOCTYPE html><html><head><META content=1.1 NAME='pypi:repository-version'>"
      "<meta name=\"pypi:project-status\" content=archived><meta name='pypi:project-status-reason' content='a &lt; "
      "b'></head>"
      "<!-- <a href='commented-1.zip'>x</a> --><script>if (a<b) '<a href=\"s-1.zip\">'</script>"
      "<a href=\"../../files/flask-1.0-py3-none-any.whl#sha256=" +
      kSha +
      "\" data-requires-python='&gt;=3.8, &#60;4' "
      "data-dist-info-metadata=true data-core-metadata=\"sha256=" +
      kSha +
      "\">flask-1.0-py3-none-any.whl</a>"
      "<A DATA-YANKED HREF=/x/flask-0.9.tar.gz#md5=" +
      std::string(32, 'b') +
      "&amp;sha1=zz>flask-0.9.tar.gz</A>"
      "<a href='flask-0.8.zip' data-yanked='say &quot;no&#x22;' data-dist-info-metadata='sha256=" +
      kSha + "'><b>flask</b>-0.8.zip");
  ASSERT_EQ(page.files.size(), 3U);
  EXPECT_EQ(page.name, "flask");
  EXPECT_EQ(page.api_version, "1.1");
  EXPECT_EQ(page.status, "archived");
  EXPECT_EQ(page.status_reason, "a < b");

  EXPECT_EQ(page.files[0].name, "flask-1.0-py3-none-any.whl");
  EXPECT_EQ(page.files[0].url, "https://host/root/files/flask-1.0-py3-none-any.whl");
  EXPECT_EQ(page.files[0].sha256, kSha);
  EXPECT_EQ(page.files[0].requires_python, ">=3.8, <4");
  EXPECT_TRUE(page.files[0].has_metadata);
  EXPECT_EQ(page.files[0].metadata_sha256, kSha);
  EXPECT_FALSE(page.files[0].yanked);

  EXPECT_EQ(page.files[1].url, "https://host/x/flask-0.9.tar.gz");
  EXPECT_TRUE(page.files[1].yanked);
  EXPECT_EQ(page.files[1].hashes, (std::map<std::string, std::string>{{"md5", std::string(32, 'b')}}));
  EXPECT_EQ(page.files[2].url, kUrl + "flask-0.8.zip");
  EXPECT_EQ(page.files[2].yanked_reason, "say \"no\"");
  EXPECT_EQ(page.files[2].metadata_sha256, kSha);
}

TEST(SimpleHtml, ResolvesAgainstTheFirstBase) {
  const auto page = html(
      "<base href='/files/'><base href='/other/'><a href='flask-1.zip'>flask-1.zip</a><a "
      "href='//cdn/flask-2.zip'>b</a>");
  ASSERT_EQ(page.files.size(), 2U);
  EXPECT_EQ(page.files[0].url, "https://host/files/flask-1.zip");
  EXPECT_EQ(page.files[1].url, "https://cdn/flask-2.zip");
}

TEST(SimpleHtml, TakesTheTextWhereTheUrlHasNoFileName) {
  const auto page = html("<a href='/download?id=7'>flask-1.0.tar.gz</a>");
  ASSERT_EQ(page.files.size(), 1U);
  EXPECT_EQ(page.files[0].name, "flask-1.0.tar.gz");
  EXPECT_EQ(page.files[0].url, "https://host/download?id=7");
}

TEST(SimpleHtml, DropsWhatNobodyShouldDownload) {
  const auto page = html(
      "<a href='../'>Parent</a><a href='/x/%2e%2e%2fflask-1.zip'>e</a><a href='javascript:flask-1.zip'>j</a>"
      "<a href='file:///etc/flask-1.zip'>f</a><a href='flask-%00-1.zip'>z</a><a href='flask- -1.zip'>s</a>"
      "<a name=x>n</a><a href='#top'>t</a><a href=.flask-1.zip>d</a>");
  for (const auto& file : page.files) ADD_FAILURE() << file.name << " " << file.url;
}

TEST(SimpleHtml, SurvivesBrokenMarkup) {
  for (const char* body : {"<a", "<a href", "<a href=", "<a href='x-1.zip", "<a href=x-1.zip", "<a/><", "<!--", "<!-->",
                           "</", "<script>", "<a = b>"}) {
    try {
      html(body);
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << body;
    }
  }
}

TEST(SimpleHtml, DecodesEntities) {
  EXPECT_EQ(decode_entities("&lt;&#62;&#x3E;&amp;amp;&apos;&nope;&#0;&#xD800;&#1114112;& &quot"),
            "<>>&amp;'&nope;&#0;&#xD800;&#1114112;& &quot");
  EXPECT_EQ(decode_entities("&#233;&hellip;&#x1F600;"), "\u00e9\u2026\U0001F600");
}

TEST(SimpleJson, ReadsEveryField) {
  const auto page = json(
      R"({"files":[{"url":"https://cdn/f.whl?x#sha256=no","filename":"flask-1.0-py3-none-any.whl","hashes":{"sha256":")" +
      kSha +
      R"(","sha3_256":"AB"},"requires-python":">=3.8","size":12,"upload-time":"2024-01-02T03:04:05.000000Z","yanked":"broken",)"
      R"("core-metadata":{"sha256":")" +
      kSha +
      R"("},"data-dist-info-metadata":false,"gpg-sig":true,"provenance":"https://host/integrity/1"},)"
      R"({"filename":"flask-0.9.zip","url":"../flask-0.9.zip","hashes":{},"yanked":false,"requires-python":null,"dist-info-metadata":true}],)"
      R"("meta":{"api-version":"1.9","_last-serial":1},"name":"Flask","versions":["1.0"],)"
      R"("project-status":{"status":"quarantined","reason":"malware"}})");
  ASSERT_EQ(page.files.size(), 2U);
  EXPECT_EQ(page.api_version, "1.9");
  EXPECT_EQ(page.status, "quarantined");
  EXPECT_EQ(page.status_reason, "malware");
  const IndexFile& wheel = page.files[0];
  EXPECT_EQ(wheel.url, "https://cdn/f.whl?x");
  EXPECT_EQ(wheel.sha256, kSha);
  EXPECT_EQ(wheel.hashes.size(), 1U);  // two digits are no sha3_256
  EXPECT_EQ(wheel.size_bytes, 12U);
  EXPECT_EQ(wheel.upload_time, "2024-01-02T03:04:05.000000Z");
  EXPECT_TRUE(wheel.yanked);
  EXPECT_EQ(wheel.yanked_reason, "broken");
  EXPECT_TRUE(wheel.has_metadata);
  EXPECT_EQ(wheel.metadata_sha256, kSha);
  EXPECT_EQ(wheel.provenance, "https://host/integrity/1");
  EXPECT_TRUE(page.newer_minor);
  EXPECT_EQ(page.files[1].url, "https://host/root/simple/flask-0.9.zip");
  EXPECT_TRUE(page.files[1].has_metadata);
  EXPECT_FALSE(page.files[1].yanked);
  EXPECT_FALSE(page.files[1].size_bytes);
}

TEST(SimpleJson, TheNewerSpellingOfMetadataWinsInAnyOrder) {
  for (const char* fields :
       {R"("core-metadata":false,"dist-info-metadata":true)", R"("dist-info-metadata":true,"core-metadata":false)"}) {
    const auto page =
        json_files(R"({"filename":"flask-1.zip","url":"a-1.zip","hashes":{},)" + std::string(fields) + "}");
    EXPECT_FALSE(page.files.at(0).has_metadata) << fields;
  }
}

TEST(SimpleJson, FieldsThatAreNullAreAbsent) {
  const auto page = json_files(
      R"({"filename":"flask-1.zip","url":"a","hashes":{},"core-metadata":null,"dist-info-metadata":true,"provenance":null,)"
      R"("upload-time":null,"size":null,"yanked":null,"requires-python":null})");
  ASSERT_EQ(page.files.size(), 1U);
  EXPECT_TRUE(page.files[0].has_metadata);
  EXPECT_EQ(page.files[0].provenance + page.files[0].upload_time, "");
  EXPECT_FALSE(page.files[0].yanked || page.files[0].size_bytes);
  EXPECT_FALSE(page.newer_minor);
}

TEST(SimpleJson, PassesOverWhatIsNotForClients) {
  const auto page = json(
      R"({"meta":{"api-version":"1.4","tracks":["https://other/simple/flask/"]},"alternate-locations":["https://x/"],)"
      R"("versions":["9.9"],"files":[{"filename":"flask-1.zip","url":"a","provenance":"javascript:1"}]})");
  ASSERT_EQ(page.files.size(), 1U);
  EXPECT_EQ(page.files[0].provenance, "");
}

TEST(SimplePage, DropsFilesOfOtherProjects) {
  const std::string body =
      "<a href='flask-1.zip'></a><a href='Flask-1-py3-none-any.whl'></a><a href='flask_sql-1.zip'></a><a "
      "href='evil-1.zip'></a><a href='flask.zip'></a>";
  EXPECT_EQ(html(body).files.size(), 2U);
  EXPECT_EQ(parse_project_page(body, kSimpleHtml, kUrl, "").files.size(), 5U);
}

TEST(SimpleJson, DropsUnsafeFilesAndKeepsTheRest) {
  const auto page = json_files(
      R"({"filename":"../flask-1.zip","url":"x"},{"filename":"flask-1.zip","url":"ftp://h/a-1.zip"},{"url":"flask-1.zip"},)"
      R"({"filename":"flask-3.zip"},{"filename":"flask-\u0000-1.zip","url":"d"},{"filename":"flask-4.zip","url":"ok-1.zip","size":-4})");
  ASSERT_EQ(page.files.size(), 1U);
  EXPECT_EQ(page.files[0].name, "flask-4.zip");
  EXPECT_FALSE(page.files[0].size_bytes);
}

TEST(SimpleJson, RefusesWhatIsNoIndexPage) {
  for (const char* body :
       {"", "[]", "{", "{}", R"({"files":{}})", R"({"files":[1]})", R"({"files":[{"url":1}]})", R"({"files":[]} x)",
        R"({"files":[]}{})", "{\"files\":[{\"filename\":\"\xff\"}]}", "<html>"}) {
    try {
      json(body);
      ADD_FAILURE() << body;
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input) << body;
      EXPECT_EQ(error.subject(), kUrl);
    }
  }
}

TEST(SimplePage, AnotherMajorVersionIsRefused) {
  EXPECT_THROW(json(R"({"meta":{"api-version":"2.0"},"files":[]})"), Error);
  EXPECT_THROW(html("<meta name='pypi:repository-version' content='2.0'>"), Error);
  EXPECT_THROW(parse_project_page("{}", "application/vnd.pypi.simple.v2+json", kUrl, "x"), Error);
  EXPECT_THROW(parse_project_page("{}", "application/json", kUrl, "x"), Error);
  EXPECT_THROW(parse_project_page("plain words", "text/html", kUrl, "x"), Error);
  EXPECT_EQ(json(R"({"files":[]})").api_version, "1.0");
}

TEST(SimplePage, ListsProjects) {
  const std::string url = "https://host/simple/";
  EXPECT_EQ(parse_project_list(
                R"({"meta":{"api-version":"1.0"},"projects":[{"name":"Flask"},{"name":"../x"},{"_a":1,"name":"b"}]})",
                kSimpleJson, url),
            (std::vector<std::string>{"Flask", "b"}));
  EXPECT_EQ(
      parse_project_list("<a href=/simple/flask/>Flask</a><a href='b/'> b </a><a href='..'>..</a>", kSimpleHtml, url),
      (std::vector<std::string>{"Flask", "b"}));
  std::vector<std::pair<std::string, int64_t>> serials;
  visit_project_list(R"({"meta":{"_last-serial":9},"projects":[{"_last-serial":7,"name":"A"},{"name":"b"},)"
                     R"({"name":"c","_last-serial":null},{"name":"d","_last-serial":-3}]})",
                     kSimpleJson, url,
                     [&](std::string_view name, int64_t serial) { serials.emplace_back(name, serial); });
  EXPECT_EQ(serials, (std::vector<std::pair<std::string, int64_t>>{{"A", 7}, {"b", 0}, {"c", 0}, {"d", 0}}));
  EXPECT_THROW(parse_project_list(R"({"files":[]})", kSimpleJson, url), Error);
}

ProjectPage sample_page() {
  ProjectPage page;
  page.name = "flask";
  page.status = "archived";
  page.status_reason = "<moved>";
  IndexFile wheel;
  wheel.name = "flask-1.10-py3-none-any.whl";
  wheel.url = "https://host/p/flask-1.10-py3-none-any.whl";
  wheel.sha256 = kSha;
  wheel.hashes = {{"sha256", kSha}};
  wheel.requires_python = ">=3.8,<4";
  wheel.has_metadata = true;
  wheel.metadata_sha256 = kSha;
  wheel.size_bytes = 10;
  wheel.upload_time = "2024-01-02T03:04:05Z";
  wheel.provenance = "https://host/integrity/flask?a=1&b=2";
  IndexFile sdist;
  sdist.name = "flask-1.9.tar.gz";
  sdist.url = "https://host/p/flask-1.9.tar.gz";
  sdist.yanked = true;
  sdist.yanked_reason = "\"quoted\" & <b>";
  sdist.has_metadata = true;
  sdist.size_bytes = 11;
  page.files = {wheel, sdist};
  return page;
}

TEST(SimpleRender, JsonHoldsWhatTheStandardNames) {
  const Value root = parse_json(render_project_json(sample_page()), "page").root;
  EXPECT_EQ(root.at("meta").get_string("api-version"), "1.4");
  EXPECT_EQ(root.get_strings("versions"), (std::vector<std::string>{"1.9", "1.10"}));
  EXPECT_EQ(root.at("project-status").get_string("status"), "archived");
  const Value& wheel = root.at("files").as_array().at(0);
  EXPECT_EQ(wheel.at("core-metadata").get_string("sha256"), kSha);
  EXPECT_EQ(wheel.find("dist-info-metadata"), nullptr);  // PEP 714: never in JSON
  EXPECT_EQ(wheel.find("yanked"), nullptr);
  EXPECT_EQ(wheel.get_integer("size"), 10);
  const Value& sdist = root.at("files").as_array().at(1);
  EXPECT_TRUE(sdist.get_bool("core-metadata"));
  EXPECT_EQ(sdist.get_string("yanked"), "\"quoted\" & <b>");
  EXPECT_EQ(sdist.at("hashes").size(), 0U);
}

TEST(SimpleRender, DeclaresTheFirstVersionWhenASizeOrVersionIsUnknown) {
  ProjectPage page = sample_page();
  page.files[1].size_bytes.reset();
  Value root = parse_json(render_project_json(page), "page").root;
  EXPECT_EQ(root.at("meta").get_string("api-version"), "1.0");
  EXPECT_EQ(root.find("versions"), nullptr);
  page = sample_page();
  page.files[1].name = "flask-1.9.egg";
  root = parse_json(render_project_json(page), "page").root;
  EXPECT_EQ(root.at("meta").get_string("api-version"), "1.0");
}

TEST(SimpleRender, ComesBackAsItWas) {
  const ProjectPage page = sample_page();
  const ProjectPage from_json = parse_project_page(render_project_json(page), kSimpleJson, kUrl, "flask");
  const ProjectPage from_html = parse_project_page(render_project_html(page), kSimpleHtml, kUrl, "flask");
  for (const ProjectPage* read : {&from_json, &from_html}) {
    ASSERT_EQ(read->files.size(), 2U);
    EXPECT_EQ(read->status, page.status);
    EXPECT_EQ(read->status_reason, page.status_reason);
    for (size_t i = 0; i < 2; ++i) {
      const IndexFile &a = page.files[i], &b = read->files[i];
      EXPECT_EQ(std::tie(a.name, a.url, a.sha256, a.hashes, a.requires_python, a.yanked, a.yanked_reason,
                         a.has_metadata, a.metadata_sha256, a.provenance),
                std::tie(b.name, b.url, b.sha256, b.hashes, b.requires_python, b.yanked, b.yanked_reason,
                         b.has_metadata, b.metadata_sha256, b.provenance));
    }
  }
  EXPECT_EQ(from_json.files[0].size_bytes, 10U);
  EXPECT_EQ(from_json.files[0].upload_time, page.files[0].upload_time);
}

TEST(SimpleRender, HtmlAnnouncesMetadataInBothSpellingsAndEscapes) {
  const std::string text = render_project_html(sample_page());
  EXPECT_NE(text.find("data-core-metadata=\"sha256=" + kSha + "\" data-dist-info-metadata=\"sha256=" + kSha + "\""),
            text.npos);
  EXPECT_NE(text.find("data-requires-python=\"&gt;=3.8,&lt;4\""), text.npos);
  EXPECT_EQ(text.find("<b>"), text.npos);
}

TEST(SimpleRender, ListsProjectsInBothForms) {
  const std::vector<std::string> names = {"Flask", "zope.interface"};
  EXPECT_EQ(parse_project_list(render_list_json(names), kSimpleJson, kUrl), names);
  std::vector<int64_t> serials(names.size(), 7), read;
  serials.back() = 9;
  visit_project_list(render_list_json(names, serials), kSimpleJson, kUrl,
                     [&](std::string_view, int64_t serial) { read.push_back(serial); });
  EXPECT_EQ(read, serials);
  EXPECT_EQ(parse_project_list(render_list_html(names), kSimpleHtml, kUrl), names);
  EXPECT_NE(render_list_html(names).find("href=\"zope-interface/\""), std::string::npos);
}

}  // namespace
}  // namespace dae::resolver
