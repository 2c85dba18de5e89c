package judges

import (
	"encoding/json"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// scenario is a call that the autorest test server counts when the request is
// exactly right.
type scenario struct {
	operation string
	arguments string
	name      string // what the server counts it as; "" when it counts nothing
	fails     bool   // the server answers an error on purpose
}

// The arguments are those the server's clients are told to send.
const (
	reserved  = `begin!*'();:@ &=+$,/?#[]end`
	multibyte = `啊齄丂狛狜\uf9f1\uf92c\uf9f1\ufa0c\ufa29` // as JSON; editors normalise these characters
	// base64 of multibyte in UTF-8
	multibyteBase64 = `5ZWK6b2E5LiC54ub54uc76ex76Ss76ex76iM76ip`
)

var urlScenarios = []scenario{
	{"paths_getBooleanTrue", `{"boolPath":true}`, "UrlPathsBoolTrue", false},
	{"paths_getBooleanFalse", `{"boolPath":false}`, "UrlPathsBoolFalse", false},
	{"paths_getIntOneMillion", `{"intPath":1000000}`, "UrlPathsIntPositive", false},
	{"paths_getIntNegativeOneMillion", `{"intPath":-1000000}`, "UrlPathsIntNegative", false},
	{"paths_getTenBillion", `{"longPath":10000000000}`, "UrlPathsLongPositive", false},
	{"paths_getNegativeTenBillion", `{"longPath":-10000000000}`, "UrlPathsLongNegative", false},
	{"paths_floatScientificPositive", `{"floatPath":1.034E+20}`, "UrlPathsFloatPositive", false},
	{"paths_floatScientificNegative", `{"floatPath":-1.034E-20}`, "UrlPathsFloatNegative", false},
	{"paths_doubleDecimalPositive", `{"doublePath":9999999.999}`, "UrlPathsDoublePositive", false},
	{"paths_doubleDecimalNegative", `{"doublePath":-9999999.999}`, "UrlPathsDoubleNegative", false},
	{"paths_stringUnicode", `{"stringPath":"` + multibyte + `"}`, "UrlPathsStringUnicode", false},
	{"paths_stringUrlEncoded", `{"stringPath":"` + reserved + `"}`, "UrlPathsStringUrlEncoded", false},
	{"paths_stringUrlNonEncoded", `{"stringPath":"begin!*'();:@&=+$,end"}`, "UrlPathsStringUrlNonEncoded", false},
	{"paths_enumValid", `{"enumPath":"green color"}`, "UrlPathsEnumValid", false},
	{"paths_byteMultiByte", `{"bytePath":"` + multibyteBase64 + `"}`, "UrlPathsByteMultiByte", false},
	{"paths_DateValid", `{"datePath":"2012-01-01"}`, "UrlPathsDateValid", false},
	{"paths_DateTimeValid", `{"dateTimePath":"2012-01-01T01:01:01Z"}`, "UrlPathsDateTimeValid", false},
	{"paths_base64Url", `{"base64UrlPath":"bG9yZW0"}`, "UrlPathsStringBase64Url", false},
	{"paths_ArrayCsvInPath", `{"arrayPath":["ArrayPath1","` + reserved + `","",""]}`, "UrlPathsArrayCSVInPath", false},
	{"paths_unixTimeUrl", `{"unixTimeUrlPath":1460505600}`, "UrlPathsIntUnixTime", false},

	{"queries_getBooleanTrue", `{"boolQuery":true}`, "UrlQueriesBoolTrue", false},
	{"queries_getBooleanFalse", `{"boolQuery":false}`, "UrlQueriesBoolFalse", false},
	{"queries_getBooleanNull", `{}`, "UrlQueriesBoolNull", false},
	{"queries_getIntOneMillion", `{"intQuery":1000000}`, "UrlQueriesIntPositive", false},
	{"queries_getIntNegativeOneMillion", `{"intQuery":-1000000}`, "UrlQueriesIntNegative", false},
	{"queries_getIntNull", `{}`, "UrlQueriesIntNull", false},
	{"queries_getTenBillion", `{"longQuery":10000000000}`, "UrlQueriesLongPositive", false},
	{"queries_getNegativeTenBillion", `{"longQuery":-10000000000}`, "UrlQueriesLongNegative", false},
	{"queries_getLongNull", `{}`, "UrlQueriesLongNull", false},
	{"queries_floatScientificPositive", `{"floatQuery":1.034E+20}`, "UrlQueriesFloatPositive", false},
	{"queries_floatScientificNegative", `{"floatQuery":-1.034E-20}`, "UrlQueriesFloatNegative", false},
	{"queries_floatNull", `{}`, "UrlQueriesFloatNull", false},
	{"queries_doubleDecimalPositive", `{"doubleQuery":9999999.999}`, "UrlQueriesDoublePositive", false},
	{"queries_doubleDecimalNegative", `{"doubleQuery":-9999999.999}`, "UrlQueriesDoubleNegative", false},
	{"queries_doubleNull", `{}`, "UrlQueriesDoubleNull", false},
	{"queries_stringUnicode", `{"stringQuery":"` + multibyte + `"}`, "UrlQueriesStringUnicode", false},
	{"queries_stringUrlEncoded", `{"stringQuery":"` + reserved + `"}`, "UrlQueriesStringUrlEncoded", false},
	{"queries_stringEmpty", `{"stringQuery":""}`, "UrlQueriesStringEmpty", false},
	{"queries_stringNull", `{}`, "UrlQueriesStringNull", false},
	{"queries_enumValid", `{"enumQuery":"green color"}`, "UrlQueriesEnumValid", false},
	{"queries_enumNull", `{}`, "UrlQueriesEnumNull", false},
	{"queries_byteMultiByte", `{"byteQuery":"` + multibyteBase64 + `"}`, "UrlQueriesByteMultiByte", false},
	{"queries_byteEmpty", `{"byteQuery":""}`, "UrlQueriesByteEmpty", false},
	{"queries_byteNull", `{}`, "UrlQueriesByteNull", false},
	{"queries_DateValid", `{"dateQuery":"2012-01-01"}`, "UrlQueriesDateValid", false},
	{"queries_DateNull", `{}`, "UrlQueriesDateNull", false},
	{"queries_DateTimeValid", `{"dateTimeQuery":"2012-01-01T01:01:01Z"}`, "UrlQueriesDateTimeValid", false},
	{"queries_DateTimeNull", `{}`, "UrlQueriesDateTimeNull", false},
	{"queries_ArrayStringCsvValid", `{"arrayQuery":["ArrayQuery1","` + reserved + `","",""]}`, "UrlQueriesArrayCsvValid", false},
	{"queries_ArrayStringCsvNull", `{}`, "UrlQueriesArrayCsvNull", false},
	{"queries_ArrayStringCsvEmpty", `{"arrayQuery":[""]}`, "UrlQueriesArrayCsvEmpty", false},
	{"queries_ArrayStringNoCollectionFormatEmpty", `{"arrayQuery":["hello","nihao","bonjour"]}`, "UrlQueriesArrayNoCollectionFormatValid", false},
	{"queries_ArrayStringSsvValid", `{"arrayQuery":["ArrayQuery1","` + reserved + `","",""]}`, "UrlQueriesArraySsvValid", false},
	{"queries_ArrayStringTsvValid", `{"arrayQuery":["ArrayQuery1","` + reserved + `","",""]}`, "UrlQueriesArrayTsvValid", false},
	{"queries_ArrayStringPipesValid", `{"arrayQuery":["ArrayQuery1","` + reserved + `","",""]}`, "UrlQueriesArrayPipesValid", false},

	{"pathItems_getAllWithValues", `{"globalStringPath":"globalStringPath","pathItemStringPath":"pathItemStringPath","localStringPath":"localStringPath","globalStringQuery":"globalStringQuery","pathItemStringQuery":"pathItemStringQuery","localStringQuery":"localStringQuery"}`, "UrlPathItemGetAll", false},
	{"pathItems_getGlobalQueryNull", `{"globalStringPath":"globalStringPath","pathItemStringPath":"pathItemStringPath","localStringPath":"localStringPath","pathItemStringQuery":"pathItemStringQuery","localStringQuery":"localStringQuery"}`, "UrlPathItemGetGlobalNull", false},
	{"pathItems_getGlobalAndLocalQueryNull", `{"globalStringPath":"globalStringPath","pathItemStringPath":"pathItemStringPath","localStringPath":"localStringPath","pathItemStringQuery":"pathItemStringQuery"}`, "UrlPathItemGetGlobalAndLocalNull", false},
	{"pathItems_getLocalPathItemQueryNull", `{"globalStringPath":"globalStringPath","pathItemStringPath":"pathItemStringPath","localStringPath":"localStringPath","globalStringQuery":"globalStringQuery"}`, "UrlPathItemGetPathItemAndLocalNull", false},
}

const (
	siamese  = `{"breed":"persian","color":"green","hates":[{"food":"tomato","id":1,"name":"Potato"},{"food":"french fries","id":-1,"name":"Tomato"}],"id":2,"name":"Siameeee"}`
	siblings = `[{"fishtype":"shark","age":6,"birthday":"2012-01-05T01:00:00Z","length":20.0,"species":"predator"},` +
		`{"fishtype":"sawshark","age":105,"birthday":"1900-01-05T01:00:00Z","length":10.0,"picture":"//////4=","species":"dangerous"},` +
		`{"fishtype":"goblin","age":1,"birthday":"2015-08-08T00:00:00Z","length":30.0,"species":"scary","jawsize":5,"color":"pinkish-gray"}]`
	salmon = `"location":"alaska","iswild":true,"species":"king","length":1.0,"siblings":` + siblings
	saw    = `{"fishtype":"sawshark","age":105,"birthday":"1900-01-05T01:00:00Z","picture":"//////4=","species":"dangerous","length":10`
	shark  = `{"fishtype":"shark","age":6,"birthday":"2012-01-05T01:00:00Z","species":"predator","length":20`
	school = `{"fishtype":"salmon","location":"alaska","iswild":true,"species":"king","length":1,"siblings":[` +
		shark + `,"siblings":[{"fishtype":"salmon","location":"atlantic","iswild":true,"species":"coho","length":2,"siblings":[` +
		shark + `},` + saw + `}]},` + saw + `,"siblings":[]}]},` + saw + `,"siblings":[]}]}`
)

var complexScenarios = []scenario{
	{"basic_getValid", `{}`, "getComplexBasicValid", false},
	{"basic_putValid", `{"api-version":"2016-02-29","body":{"id":2,"name":"abc","color":"Magenta"}}`, "putComplexBasicValid", false},
	{"basic_getInvalid", `{}`, "getComplexBasicInvalid", false},
	{"basic_getEmpty", `{}`, "getComplexBasicEmpty", false},
	{"basic_getNull", `{}`, "getComplexBasicNull", false},
	{"basic_getNotProvided", `{}`, "getComplexBasicNotProvided", false},
	{"primitive_getInt", `{}`, "getComplexPrimitiveInteger", false},
	{"primitive_putInt", `{"body":{"field1":-1,"field2":2}}`, "putComplexPrimitiveInteger", false},
	{"primitive_getLong", `{}`, "getComplexPrimitiveLong", false},
	{"primitive_putLong", `{"body":{"field1":1099511627775,"field2":-999511627788}}`, "putComplexPrimitiveLong", false},
	{"primitive_getFloat", `{}`, "getComplexPrimitiveFloat", false},
	{"primitive_putFloat", `{"body":{"field1":1.05,"field2":-0.003}}`, "putComplexPrimitiveFloat", false},
	{"primitive_getDouble", `{}`, "getComplexPrimitiveDouble", false},
	{"primitive_putDouble", `{"body":{"field1":3e-100,"field_56_zeros_after_the_dot_and_negative_zero_before_dot_and_this_is_a_long_field_name_on_purpose":-0.000000000000000000000000000000000000000000000000000000005}}`, "putComplexPrimitiveDouble", false},
	{"primitive_getBool", `{}`, "getComplexPrimitiveBool", false},
	{"primitive_putBool", `{"body":{"field_true":true,"field_false":false}}`, "putComplexPrimitiveBool", false},
	{"primitive_getString", `{}`, "getComplexPrimitiveString", false},
	{"primitive_putString", `{"body":{"field":"goodrequest","empty":""}}`, "putComplexPrimitiveString", false},
	{"primitive_getDate", `{}`, "getComplexPrimitiveDate", false},
	{"primitive_putDate", `{"body":{"field":"0001-01-01","leap":"2016-02-29"}}`, "putComplexPrimitiveDate", false},
	{"primitive_getDateTime", `{}`, "getComplexPrimitiveDateTime", false},
	{"primitive_putDateTime", `{"body":{"field":"0001-01-01T00:00:00Z","now":"2015-05-18T18:38:00Z"}}`, "putComplexPrimitiveDateTime", false},
	{"primitive_getDateTimeRfc1123", `{}`, "getComplexPrimitiveDateTimeRfc1123", false},
	{"primitive_putDateTimeRfc1123", `{"body":{"field":"Mon, 01 Jan 0001 00:00:00 GMT","now":"Mon, 18 May 2015 11:38:00 GMT"}}`, "putComplexPrimitiveDateTimeRfc1123", false},
	{"primitive_getDuration", `{}`, "getComplexPrimitiveDuration", false},
	{"primitive_putDuration", `{"body":{"field":"P123DT22H14M12.011S"}}`, "putComplexPrimitiveDuration", false},
	{"primitive_getByte", `{}`, "getComplexPrimitiveByte", false},
	{"primitive_putByte", `{"body":{"field":"//79/AD6+fj39g=="}}`, "putComplexPrimitiveByte", false},
	{"array_getValid", `{}`, "getComplexArrayValid", false},
	{"array_getEmpty", `{}`, "getComplexArrayEmpty", false},
	{"array_putEmpty", `{"body":{"array":[]}}`, "putComplexArrayEmpty", false},
	{"array_getNotProvided", `{}`, "getComplexArrayNotProvided", false},
	{"dictionary_getValid", `{}`, "getComplexDictionaryValid", false},
	{"dictionary_getEmpty", `{}`, "getComplexDictionaryEmpty", false},
	{"dictionary_putEmpty", `{"body":{"defaultProgram":{}}}`, "putComplexDictionaryEmpty", false},
	{"dictionary_getNull", `{}`, "getComplexDictionaryNull", false},
	{"dictionary_getNotProvided", `{}`, "getComplexDictionaryNotProvided", false},
	{"inheritance_getValid", `{}`, "getComplexInheritanceValid", false},
	{"inheritance_putValid", `{"body":` + siamese + `}`, "putComplexInheritanceValid", false},
	{"polymorphism_getValid", `{}`, "getComplexPolymorphismValid", false},
	{"polymorphism_putValid", `{"body":{"fishtype":"salmon",` + salmon + `}}`, "putComplexPolymorphismValid", false},
	{"polymorphism_getDotSyntax", `{}`, "getComplexPolymorphismDotSyntax", false},
	{"polymorphism_getComposedWithDiscriminator", `{}`, "getComposedWithDiscriminator", false},
	{"polymorphism_getComposedWithoutDiscriminator", `{}`, "getComposedWithoutDiscriminator", false},
	{"polymorphism_getComplicated", `{}`, "getComplexPolymorphismComplicated", false},
	{"polymorphism_putComplicated", `{"body":{"fishtype":"smart_salmon","additionalProperty1":1,"additionalProperty2":false,"additionalProperty3":"hello","additionalProperty4":{"a":1,"b":2},"additionalProperty5":[1,3],` + salmon + `}}`, "putComplexPolymorphismComplicated", false},
	{"polymorphism_putMissingDiscriminator", `{"body":{"fishtype":"salmon",` + salmon + `}}`, "putComplexPolymorphismNoDiscriminator", false},
	{"polymorphicrecursive_getValid", `{}`, "getComplexPolymorphicRecursiveValid", false},
	{"polymorphicrecursive_putValid", `{"body":` + school + `}`, "putComplexPolymorphicRecursiveValid", false},
	{"readonlyproperty_getValid", `{}`, "getComplexReadOnlyPropertyValid", false},
	{"readonlyproperty_putValid", `{"body":{"size":2}}`, "putComplexReadOnlyPropertyValid", false},
}

var formScenarios = []scenario{
	{"formdata_UploadFile", `{"body":{"fileContent":"aGVsbG8=","fileName":"hello.txt"}}`, "FormdataStreamUploadFile", false},
	{"formdata_UploadFileViaBody", `{"body":"aGVsbG8="}`, "StreamUploadFile", false},
}

var pagingScenarios = []scenario{
	{"Paging_getNoItemNamePages", `{}`, "PagingNoItemName", false},
	{"Paging_getEmptyNextLinkNamePages", `{}`, "PagingEmptyNextLink", false},
	{"Paging_getNullNextLinkNamePages", `{}`, "PagingNextLinkNameNull", false},
	{"Paging_getSinglePages", `{}`, "PagingSingle", false},
	{"Paging_getSinglePagesWithBodyParams", `{"body":{"name":"body"}}`, "PagingSingleWithBodyParams", false},
	{"Paging_getMultiplePages", `{"client-request-id":"judges","maxresults":10}`, "PagingMultiple", false},
	{"Paging_getWithQueryParams", `{"requiredQueryParameter":100,"queryConstant":true}`, "", false},
	{"Paging_nextOperationWithQueryParams", `{"queryConstant":true}`, "PagingMultipleWithQueryParameters", false},
	{"Paging_duplicateParams", `{"filter":"foo"}`, "PagingDuplicateParameters", false},
	{"Paging_pageWithMaxPageSize", `{}`, "PagingDontSendMaxPageSize", false},
	{"Paging_getOdataMultiplePages", `{}`, "PagingOdataMultiple", false},
	{"Paging_getMultiplePagesWithOffset", `{"offset":100}`, "PagingMultiplePath", false},
	{"Paging_getMultiplePagesFragmentNextLink", `{"api_version":"1.6","tenant":"test_user"}`, "", false},
	{"Paging_getMultiplePagesFragmentWithGroupingNextLink", `{"api_version":"1.6","tenant":"test_user"}`, "", false},
	{"Paging_getSinglePagesFailure", `{}`, "PagingSingleFailure", true},
	{"Paging_getMultiplePagesFailure", `{}`, "PagingMultipleFailure", false},
	{"Paging_getMultiplePagesFailureUri", `{}`, "PagingMultipleFailureUri", false},
	{"Paging_appendApiVersion", `{"api-version":"1.0.0"}`, "PagingWithApiVersionAppend", false},
	{"Paging_replaceApiVersion", `{"api-version":"1.0.0"}`, "PagingWithApiVersionReplace", false},
}

const (
	metrics = `"Version":"1.0","Enabled":true,"IncludeAPIs":%,"RetentionPolicy":{"Enabled":true,"Days":7}`
	banana  = `{"name":"Cavendish","flavor":"Sweet","expiration":"2018-02-28T00:40:00.123Z"}`
)

var xmlScenarios = []scenario{
	{"xml_getComplexTypeRefNoMeta", `{}`, "GetRootWithRefAndNoMetaXML", false},
	{"xml_putComplexTypeRefNoMeta", `{"body":{"RefToModel":{"ID":"myid"},"Something":"else"}}`, "PutRootWithRefAndNoMetaXML", false},
	{"xml_getComplexTypeRefWithMeta", `{}`, "GetRootWithRefAndMetaXML", false},
	{"xml_putComplexTypeRefWithMeta", `{"body":{"RefToModel":{"ID":"myid"},"Something":"else"}}`, "PutRootWithRefAndMetaXML", false},
	{"xml_getSimple", `{}`, "GetSimpleXML", false},
	{"xml_putSimple", `{"body":{"title":"Sample Slide Show","date":"Date of publication","author":"Yours Truly","slides":[{"type":"all","title":"Wake up to WonderWidgets!"},{"type":"all","title":"Overview","items":["Why WonderWidgets are great","","Who buys WonderWidgets"]}]}}`, "PutSimpleXML", false},
	{"xml_getWrappedLists", `{}`, "GetWrappedXMLList", false},
	{"xml_putWrappedLists", `{"body":{"GoodApples":["Fuji","Gala"],"BadApples":["Red Delicious"]}}`, "PutWrappedXMLList", false},
	{"xml_getHeaders", `{}`, "", false},
	{"xml_getEmptyList", `{}`, "GetEmptyXMLList", false},
	{"xml_putEmptyList", `{"body":{"slides":[]}}`, "PutEmptyXMLList", false},
	{"xml_getEmptyWrappedLists", `{}`, "GetEmptyWrappedXMLList", false},
	{"xml_putEmptyWrappedLists", `{"body":{"GoodApples":[],"BadApples":[]}}`, "PutEmptyWrappedXMLList", false},
	{"xml_getRootList", `{}`, "GetXMLListAtRoot", false},
	{"xml_putRootList", `{"body":[` + banana + `,{"name":"Plantain","flavor":"Savory","expiration":"2018-02-28T00:40:00.123Z"}]}`, "PutXMLListAtRoot", false},
	{"xml_getRootListSingleItem", `{}`, "GetXMLListAtRootSingle", false},
	{"xml_putRootListSingleItem", `{"body":[` + banana + `]}`, "PutXMLListAtRootSingle", false},
	{"xml_getEmptyRootList", `{}`, "GetEmptyXMLListAtRoot", false},
	{"xml_putEmptyRootList", `{"body":[]}`, "PutEmptyXMLListAtRoot", false},
	{"xml_getEmptyChildElement", `{}`, "GetXMLEmptyNode", false},
	{"xml_putEmptyChildElement", `{"body":{"name":"Unknown Banana","flavor":"","expiration":"2012-02-24T00:53:52.789Z"}}`, "PutXMLEmptyNode", false},
	{"xml_listContainers", `{"comp":"list"}`, "StorageListContainersXML", false},
	{"xml_getServiceProperties", `{"comp":"properties","restype":"service"}`, "StorageGetServicePropertiesXML", false},
	{"xml_putServiceProperties", `{"comp":"properties","restype":"service","body":{"Logging":{"Version":"1.0","Delete":true,"Read":false,"Write":true,"RetentionPolicy":{"Enabled":true,"Days":7}},"HourMetrics":{` + strings.Replace(metrics, "%", "false", 1) + `},"MinuteMetrics":{` + strings.Replace(metrics, "%", "true", 1) + `}}}`, "StoragePutServicePropertiesXML", false},
	{"xml_getAcls", `{"comp":"acl","restype":"container"}`, "StorageGetContainerACLXML", false},
	{"xml_putAcls", `{"comp":"acl","restype":"container","body":[{"Id":"MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=","AccessPolicy":{"Start":"2009-09-28T08:49:37.123Z","Expiry":"2009-09-29T08:49:37.123Z","Permission":"rwd"}}]}`, "StoragePutContainerACLXML", false},
	{"xml_listBlobs", `{"comp":"list","restype":"container"}`, "StorageListBlobsXML", false},
	{"xml_jsonInput", `{"body":{"id":42}}`, "jsonInputInXMLSwagger", false},
	{"xml_jsonOutput", `{}`, "jsonOutputInXMLSwagger", false},
	{"xml_GetXMsText", `{}`, "GetWithXMsText", false},
	{"xml_getBytes", `{}`, "XmlGetBytes", false},
	{"xml_putBinary", `{"body":{"Bytes":"SGVsbG8gd29ybGQ="}}`, "XmlPutBytes", false},
	{"xml_getUri", `{}`, "XmlGetUrl", false},
	{"xml_putUri", `{"body":{"Url":"https://myaccount.blob.core.windows.net/"}}`, "XmlPutUrl", false},
}

// inexpressible are the scenarios of these documents that no call of a tool
// can hit, each with its reason. One that is hit after all fails the test.
var inexpressible = map[string]string{
	"UrlPathsStringEmpty":                     "an empty path value is refused: the request would go to another resource",
	"UrlPathsByteEmpty":                       "an empty path value is refused: the request would go to another resource",
	"putComplexArrayValid":                    "sends null in a list whose items the document declares as strings",
	"putComplexDictionaryValid":               "sends null in a map whose values the document declares as strings",
	"PagingMultipleRetryFirst":                "counted when a 500 is repeated with the cookie it set; mcpc repeats neither a 500 nor keeps cookies between calls",
	"PagingMultipleRetrySecond":               "the same, on a page that is no operation of the document",
	"PagingFragment":                          "counted on the tenth page; next pages are no operations of the document",
	"PagingFirstResponseEmpty":                "counted on the second page; next pages are no operations of the document",
	"PagingMultipleLRO":                       "counted at the polling URL that a header names; it is no operation of the document",
	"UrlQueriesArrayMultiNull":                "of another document (url-multi-collectionFormat)",
	"UrlQueriesArrayMultiEmpty":               "of another document (url-multi-collectionFormat)",
	"UrlQueriesArrayMultiValid":               "of another document (url-multi-collectionFormat)",
	"PagingCustomUrlPartialNextLink":          "of another document (custom-baseUrl-paging)",
	"PagingCustomUrlPartialOperationNextLink": "of another document (custom-baseUrl-paging)",
	"PagingReturnModelWithXMSClientName":      "of a later version of the paging document",
}

// counts reads how often each scenario was hit.
func counts(t *testing.T, base string) map[string]int {
	t.Helper()
	all := map[string]int{}
	client := &http.Client{Timeout: 30 * time.Second}
	for _, path := range []string{"/report/optional", "/report/azure", "/report"} {
		r, err := client.Get(base + path)
		if err != nil {
			t.Fatal(err)
		}
		one := map[string]int{}
		err = json.NewDecoder(r.Body).Decode(&one)
		r.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for name, n := range one {
			all[name] = max(all[name], n)
		}
	}
	return all
}

// The autorest test server answers 200 only to exactly the right request and
// says which of its scenarios were hit: every one of the documents served here
// has to be, but for those that no tool call can express.
func TestAutorest(t *testing.T) {
	node := node(t)
	abs := func(path string) string {
		need(t, path)
		a, err := filepath.Abs(path)
		if err != nil {
			t.Fatal(err)
		}
		return a
	}
	preload := abs("loopback.js")
	program := abs("node_modules/@microsoft.azure/autorest.testserver/dist/cli/cli.js")
	address := freeAddress(t)
	base := "http://" + address
	start(t, time.Minute, answers(base+"/report"), nil, node, "-r", preload, program, "run", "--port", port(address), "--coverageDirectory", t.TempDir())

	covered := map[string]bool{}
	for _, group := range []struct {
		document  string
		scenarios []scenario
		// mine says which of the server's scenarios are of the document.
		mine func(name string) bool
	}{
		{"autorest-url.json", urlScenarios, func(n string) bool {
			return strings.HasPrefix(n, "Url") && n != "UrlEncodedDataWithPartialConstantBody"
		}},
		{"autorest-body-complex.json", complexScenarios, func(n string) bool {
			return strings.HasPrefix(n, "getComplex") || strings.HasPrefix(n, "putComplex") || strings.HasPrefix(n, "getComposed")
		}},
		{"autorest-body-formdata.json", formScenarios, func(n string) bool { return strings.Contains(n, "StreamUploadFile") }},
		{"autorest-paging.json", pagingScenarios, func(n string) bool { return strings.HasPrefix(n, "Paging") }},
		{"autorest-xml-service.json", xmlScenarios, func(n string) bool {
			return strings.Contains(n, "XML") || strings.HasPrefix(n, "Xml") || strings.Contains(n, "XMs")
		}},
	} {
		t.Run(group.document, func(t *testing.T) {
			bothServers(t, func(t *testing.T, serve serveFunc) {
				tap := newTap(t, base)
				c := newClient(serve(t, nil, document(t, group.document), "--base-url", tap.url))
				before := counts(t, base)
				for _, s := range group.scenarios {
					tap.take()
					r := c.call(t, s.operation, s.arguments)
					if seen := tap.take(); r.IsError != s.fails {
						t.Errorf("%s %s\n%v\n%s", s.operation, s.arguments, seen, r.text())
					}
				}
				after := counts(t, base)
				for _, s := range group.scenarios {
					if s.name != "" && after[s.name] == before[s.name] {
						t.Errorf("%s %s: the server did not count %s", s.operation, s.arguments, s.name)
					}
				}
				hit := 0
				for _, name := range slices.Sorted(maps.Keys(after)) {
					if !group.mine(name) {
						continue
					}
					why, excused := inexpressible[name]
					covered[name] = true
					switch {
					case after[name] > before[name] && excused:
						t.Errorf("%s was hit; it is listed as inexpressible: %s", name, why)
					case after[name] > before[name]:
						hit++
					case !excused:
						t.Errorf("%s was not hit and is not listed as inexpressible", name)
					}
				}
				t.Logf("%d scenarios hit", hit)
			})
		})
	}
	if t.Failed() || t.Skipped() {
		return
	}
	for name := range inexpressible {
		if !covered[name] {
			t.Errorf("stale: %s is listed as inexpressible, but the server has no such scenario", name)
		}
	}
}
